"""Use cases: pay for an order, refund a cancelled one, list payments."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.db import Database
from libs.events import PaymentEvent, PaymentFailed, PaymentRefunded, PaymentSucceeded
from libs.idempotency import RequestKey, answer_once, claim_key, keep_answer
from libs.security import Principal
from libs.sql import fetch_one, run
from libs.unit_of_work import Transaction

from .clients import OrderClient, OrderSummary
from .exceptions import AmountMismatch, OrderAlreadyPaid, OrderIsCancelled, OrderNotFound
from .models import IdempotencyKey, Payment, PaymentStatus, outbox
from .schemas import PaymentCreate, PaymentRead

# An update that changes nothing locks the row that is there, in the same statement.
_LOCK_LEDGER = """
INSERT INTO payment.ledger_orders AS ledger (order_id, cancelled)
VALUES (%(order_id)s, %(cancel)s)
ON CONFLICT (order_id) DO UPDATE SET cancelled = ledger.cancelled OR excluded.cancelled
RETURNING cancelled"""
# Nothing when there is a success already.
_ENTER = """
INSERT INTO payment.payments (order_id, user_id, email, status, amount_cents, currency)
SELECT %(order_id)s, %(user_id)s, %(email)s, %(status)s, %(amount_cents)s, %(currency)s
WHERE NOT EXISTS (SELECT FROM payment.payments
                  WHERE order_id = %(order_id)s AND status <> 'FAILED')
RETURNING id, created_at"""
_COLUMNS = ", ".join(Payment.__table__.columns.keys())
_SUCCESS = f"""
SELECT {_COLUMNS} FROM payment.payments WHERE order_id = %s AND status <> 'FAILED'"""  # noqa: S608
_SAVE = "UPDATE payment.payments SET status = %s, refunded_at = %s WHERE id = %s"

_EVENTS: dict[PaymentStatus, type[PaymentEvent]] = {
    PaymentStatus.SUCCEEDED: PaymentSucceeded,
    PaymentStatus.FAILED: PaymentFailed,
    PaymentStatus.REFUNDED: PaymentRefunded,
}


def check_payable(order: OrderSummary, wanted: PaymentCreate, payer: Principal) -> None:
    """Refuse what can't be paid by this caller, as far as Order knows."""
    if not payer.is_admin and order.user_id != payer.user_id:
        raise OrderNotFound(f"There is no order {wanted.order_id}.")
    if order.status == "CANCELLED":
        raise OrderIsCancelled(f"Order {order.id} is cancelled.")
    if order.status != "CREATED":
        raise OrderAlreadyPaid(f"Order {order.id} is already paid.")
    if (wanted.amount_cents, wanted.currency) != (order.total_cents, order.currency):
        raise AmountMismatch(
            f"Order {order.id} costs {order.total_cents} {order.currency} (in cents), "
            f"not {wanted.amount_cents} {wanted.currency}."
        )


async def pay(
    database: Database,
    orders: OrderClient,
    wanted: PaymentCreate,
    *,
    payer: Principal,
    status: PaymentStatus,
    request: RequestKey | None,
) -> PaymentRead:
    """Pay (or fail to) for an order. No answer from Order: DependencyUnavailable, no payment."""

    async def act() -> PaymentRead:
        order = await orders.get_order(wanted.order_id)
        check_payable(order, wanted, payer)
        async with database.transaction() as transaction:
            await claim_key(transaction, IdempotencyKey, request)
            payment = await record_payment(transaction, order, status=status)
            answer = PaymentRead.model_validate(payment)
            await keep_answer(transaction, IdempotencyKey, request, answer)
        return answer

    return await answer_once(database, IdempotencyKey, request, act, PaymentRead)


async def record_payment(
    transaction: Transaction, order: OrderSummary, *, status: PaymentStatus, reason: str = ""
) -> Payment:
    """Enter a payment under the ledger's lock: never two successes, none once cancelled."""
    if await _lock_ledger(transaction, order.id):
        raise OrderIsCancelled(f"Order {order.id} can no longer be paid.")
    new = {
        "order_id": order.id,
        "user_id": order.user_id,
        "email": order.email,
        "status": status.value,
        "amount_cents": order.total_cents,
        "currency": order.currency,
    }
    entered = await fetch_one(transaction, _ENTER, new)
    if entered is None:
        raise OrderAlreadyPaid(f"Order {order.id} is already paid.")
    payment = Payment(**new, **entered)
    _emit(transaction, payment, status, reason)
    return payment


async def cancel_order(transaction: Transaction, *, order_id: int, reason: str) -> None:
    """Remember the cancellation, and give a success that is there back, once."""
    await _lock_ledger(transaction, order_id, cancel=True)
    payment = await _find_success(transaction, order_id)
    if payment and payment.refund(datetime.now(UTC)):
        await run(transaction, _SAVE, (payment.status, payment.refunded_at, payment.id))
        _emit(transaction, payment, PaymentStatus.REFUNDED, reason)


async def close_unpaid(transaction: Transaction, *, order_id: int) -> None:
    """Let no payment come for an order any more. Raises OrderAlreadyPaid when one was made."""
    await _lock_ledger(transaction, order_id, cancel=True)
    payment = await _find_success(transaction, order_id)
    if payment and payment.status == PaymentStatus.SUCCEEDED:
        raise OrderAlreadyPaid(f"Order {order_id} is already paid.")


async def list_payments(
    session: AsyncSession, viewer: Principal, *, order_id: int | None, limit: int
) -> list[Payment]:
    """Newest first; only an admin sees those of others."""
    query = select(Payment).order_by(Payment.id.desc()).limit(limit)
    if order_id is not None:
        query = query.where(Payment.order_id == order_id)
    if not viewer.is_admin:
        query = query.where(Payment.user_id == viewer.user_id)
    return list(await session.scalars(query))


async def _find_success(transaction: Transaction, order_id: int) -> Payment | None:
    found = await fetch_one(transaction, _SUCCESS, (order_id,))
    return Payment(**found) if found else None


async def _lock_ledger(transaction: Transaction, order_id: int, *, cancel: bool = False) -> bool:
    """Lock the order's row, made if need be; True when the order is cancelled."""
    ledger = await fetch_one(transaction, _LOCK_LEDGER, {"order_id": order_id, "cancel": cancel})
    assert ledger is not None
    return bool(ledger["cancelled"])


def _emit(transaction: Transaction, payment: Payment, status: PaymentStatus, reason: str) -> None:
    outbox.add(
        transaction,
        _EVENTS[status](
            order_id=payment.order_id,
            user_id=payment.user_id,
            email=payment.email,
            payment_id=payment.id,
            amount_cents=payment.amount_cents,
            currency=payment.currency,
            reason=reason,
        ),
    )
