"""Use cases of an order, each within the session it is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import DictRow
from sqlalchemy import func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from libs.events import Address, OrderCancelled, OrderCreated, OrderLine, OrderPaid
from libs.locked_rows import LockedRows
from libs.pagination import PageRequest
from libs.security import Principal
from libs.sql import fetch_all, fetch_one
from libs.unit_of_work import Statements, Transaction

from .clients import Reservation
from .exceptions import CartAlreadyCheckedOut, CheckoutExpired, OrderNotFound
from .models import Order, OrderItem, OrderStatus, outbox
from .schemas import ShippingAddress

# In the statement's text: with a parameter no prepared plan can use the index of unpaid ones.
_CREATED = literal(OrderStatus.CREATED, literal_execute=True)
_COLUMNS = ", ".join(Order.__table__.columns.keys())
# By name, so that a column of a later version is none of ours.
_ITEM = ", ".join(f"'{column.name}', {column.name}" for column in OrderItem.__table__.columns)
_LOCK = f"""
SELECT {_COLUMNS},
       (SELECT json_agg(json_build_object({_ITEM}) ORDER BY product_id)
        FROM "order".order_items WHERE order_id = orders.id) AS items
FROM "order".orders WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE"""  # noqa: S608
_SUMMARY = """
SELECT id, user_id, email, status, total_cents, currency FROM "order".orders WHERE id = %s"""
# Another tab's order may be in the way by its token or by the reservation it shares, and Catalog
# may have been told that no order comes with this reservation.
_PLACE = """
WITH placed AS (
    INSERT INTO "order".orders
        (user_id, email, status, total_cents, currency, checkout_token, reservation_id,
         address_line1, address_line2, city, country, postcode)
    VALUES (%(user_id)s, %(email)s, %(status)s, %(total_cents)s, %(currency)s,
            %(checkout_token)s, %(reservation_id)s,
            %(address_line1)s, %(address_line2)s, %(city)s, %(country)s, %(postcode)s)
    ON CONFLICT DO NOTHING RETURNING id),
bound AS (
    INSERT INTO "order".reservation_claims (reservation_id, order_id)
    SELECT %(reservation_id)s, id FROM placed
    ON CONFLICT DO NOTHING RETURNING order_id),
items AS (
    INSERT INTO "order".order_items (order_id, product_id, title, qty, unit_price_cents)
    SELECT placed.id, line.*
    FROM placed, unnest(%(product_ids)s::bigint[], %(titles)s::text[], %(quantities)s::bigint[],
                        %(prices)s::bigint[]) AS line)
SELECT id, EXISTS (SELECT FROM bound) AS bound FROM placed"""

# The update that changes nothing makes the row that is there come back.
_CLAIM = """
INSERT INTO "order".reservation_claims (reservation_id) VALUES (%s)
ON CONFLICT (reservation_id) DO UPDATE SET reservation_id = excluded.reservation_id
RETURNING order_id"""
_OF_CART = 'SELECT id FROM "order".orders WHERE checkout_token = %s'


@dataclass(frozen=True)
class Purchase:
    """Everything that a new order is made of."""

    customer: Principal
    address: ShippingAddress
    checkout_token: str
    reservation: Reservation
    currency: str

    @property
    def total_cents(self) -> int:
        return sum(line.qty * line.unit_price_cents for line in self.reservation.items)


async def place_order(transaction: Transaction, purchase: Purchase) -> Order:
    """Raises CartAlreadyCheckedOut when the cart's token has its order already, and
    CheckoutExpired when Catalog was told that no order comes with this reservation."""
    order = await _insert_order(transaction, purchase)
    outbox.add(
        transaction,
        OrderCreated(
            order_id=order.id,
            user_id=order.user_id,
            email=order.email,
            total_cents=order.total_cents,
            currency=order.currency,
            reservation_id=order.reservation_id,
            items=[
                OrderLine.model_validate(line, from_attributes=True)
                for line in purchase.reservation.items
            ],
            address=Address.model_validate(purchase.address, from_attributes=True),
        ),
    )
    return order


async def _insert_order(transaction: Transaction, purchase: Purchase) -> Order:
    lines = purchase.reservation.items
    new = {
        "user_id": purchase.customer.user_id,
        "email": purchase.customer.email,
        "status": OrderStatus.CREATED.value,
        "total_cents": purchase.total_cents,
        "currency": purchase.currency,
        "checkout_token": purchase.checkout_token,
        "reservation_id": purchase.reservation.reservation_id,
        **purchase.address.model_dump(),
    }
    items = {
        "product_ids": [line.product_id for line in lines],
        "titles": [line.title for line in lines],
        "quantities": [line.qty for line in lines],
        "prices": [line.unit_price_cents for line in lines],
    }
    placed = await fetch_one(transaction, _PLACE, new | items)
    if placed is None:
        before = await find_order_by_token(transaction, purchase.checkout_token)
        if before is None:
            raise CheckoutExpired("The checkout took too long; check out again.")
        raise CartAlreadyCheckedOut(before)
    if not placed["bound"]:
        raise CheckoutExpired("The checkout took too long; check out again.")
    return Order(id=placed["id"], **new)


async def claim_reservation(statements: Statements, reservation_id: UUID) -> int | None:
    """The order of a reservation; None binds us: no order with it can come any more."""
    known = await fetch_one(statements, _CLAIM, (reservation_id,))
    assert known is not None
    order_id: int | None = known["order_id"]
    return order_id


async def mark_paid(transaction: Transaction, order_id: int) -> None:
    """Paid orders let their goods leave the stock; a cancelled one stays cancelled."""
    order = await _lock_order(transaction, order_id)
    if order.mark_paid():
        emit_paid(transaction, order)


async def mark_shipped(transaction: Transaction, order_id: int) -> None:
    """Goods leave only when they are paid for, whichever event told of it first."""
    order = await _lock_order(transaction, order_id)
    if order.mark_paid():
        emit_paid(transaction, order)
    order.mark_shipped()


async def cancel_order(transaction: Transaction, order_id: int, *, reason: str) -> Order:
    """Cancel, once Shipping has agreed; nothing happens to an order that is cancelled already."""
    order = await _lock_order(transaction, order_id)
    if order.cancel(reason):
        emit_cancelled(transaction, order, reason)
    return order


async def _lock_order(transaction: Transaction, order_id: int) -> Order:
    """The order with its items, locked until the transaction's end. Raises OrderNotFound."""
    order = await LOCKED.get(transaction, order_id)
    if order is None:
        raise OrderNotFound(f"There is no order {order_id}.")
    return order


async def _lock_rows(transaction: Transaction, order_ids: Sequence[int]) -> dict[int, Order]:
    rows = await fetch_all(transaction, _LOCK, (list(order_ids),))
    orders = [
        Order(**row, items=[OrderItem(**item) for item in items])
        for row in rows
        for items in [row.pop("items")]
    ]
    return {order.id: order for order in orders}


LOCKED = LockedRows(
    Order,
    changing=("status", "paid_at", "shipped_at", "cancelled_at", "cancel_reason"),
    lock=_lock_rows,
)


async def get_summary(reader: Statements, order_id: int) -> DictRow:
    """Raises OrderNotFound."""
    found = await fetch_one(reader, _SUMMARY, (order_id,))
    if found is None:
        raise OrderNotFound(f"There is no order {order_id}.")
    return found


async def get_order(session: AsyncSession, order_id: int, viewer: Principal) -> Order:
    """With its items; someone else's order is not found."""
    order = await session.get(Order, order_id, options=[selectinload(Order.items)])
    if order is None or not (viewer.is_admin or order.user_id == viewer.user_id):
        raise OrderNotFound(f"There is no order {order_id}.")
    return order


async def list_orders(
    session: AsyncSession, viewer: Principal, page: PageRequest, *, status: OrderStatus | None
) -> tuple[list[Order], int]:
    """(a page of one's own orders, or an admin's of all, newest first; how many there are)"""
    query = select(Order)
    if not viewer.is_admin:
        query = query.where(Order.user_id == viewer.user_id)
    if status is not None:
        query = query.where(Order.status == status)
    total = await session.scalar(select(func.count()).select_from(query.subquery()))
    newest = query.order_by(Order.id.desc()).limit(page.limit).offset(page.offset)
    orders = await session.scalars(newest.options(selectinload(Order.items)))
    return list(orders), total or 0


async def find_order_by_token(reader: Statements, checkout_token: str) -> int | None:
    """The id of the order that a cart's token has got."""
    found = await fetch_one(reader, _OF_CART, (checkout_token,))
    return found["id"] if found else None


async def list_unpaid(
    session: AsyncSession, *, ttl: float, after: Order | None, limit: int
) -> list[Order]:
    """Orders that have waited for their payment for more than `ttl` seconds, oldest first, from
    the one behind `after` on."""
    too_old = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, ttl)
    query = select(Order).where(Order.status == _CREATED, Order.created_at < too_old)
    if after:
        query = query.where(tuple_(Order.created_at, Order.id) > (after.created_at, after.id))
    return list(await session.scalars(query.order_by(Order.created_at, Order.id).limit(limit)))


def emit_paid(transaction: Transaction, order: Order) -> None:
    outbox.add(
        transaction,
        OrderPaid(
            order_id=order.id,
            user_id=order.user_id,
            email=order.email,
            reservation_id=order.reservation_id,
            items=_lines(order.items),
        ),
    )


def emit_cancelled(transaction: Transaction, order: Order, reason: str) -> None:
    outbox.add(
        transaction,
        OrderCancelled(
            order_id=order.id,
            user_id=order.user_id,
            email=order.email,
            reservation_id=order.reservation_id,
            items=_lines(order.items),
            reason=reason,
        ),
    )


def _lines(items: list[OrderItem]) -> list[OrderLine]:
    return [OrderLine.model_validate(item, from_attributes=True) for item in items]
