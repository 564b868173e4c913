"""Use cases: pay for an order, refund a cancelled one, list payments."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.db import Database
from libs.events import PaymentEvent, PaymentFailed, PaymentRefunded, PaymentSucceeded
from libs.idempotency import RequestKey, answer_once, claim_key, keep_answer
from libs.security import Principal
from libs.sql import fetch_one

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
        async with database.transaction() as session:
            await claim_key(session, IdempotencyKey, request)
            payment = await record_payment(session, order, status=status)
            answer = PaymentRead.model_validate(payment)
            await keep_answer(session, IdempotencyKey, request, answer)
        return answer

    return await answer_once(database, IdempotencyKey, request, act, PaymentRead)


async def record_payment(
    session: AsyncSession, order: OrderSummary, *, status: PaymentStatus, reason: str = ""
) -> Payment:
    """Enter a payment under the ledger's lock: never two successes, none once cancelled."""
    if await _lock_ledger(session, order.id):
        raise OrderIsCancelled(f"Order {order.id} can no longer be paid.")
    new = {
        "order_id": order.id,
        "user_id": order.user_id,
        "email": order.email,
        "status": status.value,
        "amount_cents": order.total_cents,
        "currency": order.currency,
    }
    entered = await fetch_one(session, _ENTER, new)
    if entered is None:
        raise OrderAlreadyPaid(f"Order {order.id} is already paid.")
    payment = Payment(**new, **entered)
    _emit(session, payment, status, reason)
    return payment


async def cancel_order(session: AsyncSession, *, order_id: int, reason: str) -> None:
    """Remember the cancellation, and give a success that is there back, once."""
    await _lock_ledger(session, order_id, cancel=True)
    payment = await find_success(session, order_id)
    if payment and payment.refund(datetime.now(UTC)):
        _emit(session, payment, PaymentStatus.REFUNDED, reason)


async def close_unpaid(session: AsyncSession, *, order_id: int) -> None:
    """Let no payment come for an order any more. Raises OrderAlreadyPaid when one was made."""
    await _lock_ledger(session, order_id, cancel=True)
    payment = await find_success(session, order_id)
    if payment and payment.status == PaymentStatus.SUCCEEDED:
        raise OrderAlreadyPaid(f"Order {order_id} is already paid.")


async def find_success(session: AsyncSession, order_id: int) -> Payment | None:
    return await session.scalar(
        select(Payment).where(Payment.order_id == order_id, Payment.status != PaymentStatus.FAILED)
    )


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


async def _lock_ledger(session: AsyncSession, order_id: int, *, cancel: bool = False) -> bool:
    """Lock the order's row, made if need be; True when the order is cancelled."""
    ledger = await fetch_one(session, _LOCK_LEDGER, {"order_id": order_id, "cancel": cancel})
    assert ledger is not None
    return bool(ledger["cancelled"])


def _emit(session: AsyncSession, payment: Payment, status: PaymentStatus, reason: str) -> None:
    outbox.add(
        session,
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
