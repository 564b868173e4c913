"""Use cases: hold goods for an order to come, and let them go, sell or take them back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from psycopg.rows import DictRow
from sqlalchemy import ARRAY, Uuid, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.locked_rows import LockedRows
from libs.sql import fetch_all, run
from libs.unit_of_work import Transaction

from ..exceptions import (
    InsufficientStock,
    ProductWithdrawn,
    ReservationClosed,
    ReservationNotFound,
)
from ..models import Reservation, ReservationItem, ReservationStatus, StockEffect
from ..schemas import ReservationCreate, ReservationLineRead, ReservationRead
from .stock import change_stock, total_by_product

_ATTEMPTS = 3
# In the statement's text: with a parameter no prepared plan can use the indexes of open ones.
_HELD = literal(ReservationStatus.HELD, literal_execute=True)

# The reservation comes first, so that one that waits for the same id or key holds no stock; then
# the stock is locked in product order, and changed only when all of it is there.
_RESERVE = """
WITH reservation AS (
    INSERT INTO catalog.reservations (id, request_key, status) VALUES (%(id)s, %(key)s, 'HELD')
    ON CONFLICT DO NOTHING RETURNING id),
stock AS (
    SELECT i.product_id, w.qty, i.in_stock - i.reserved AS available,
           p.title, p.price_cents AS unit_price_cents, p.currency, p.active
    FROM unnest(%(product_ids)s::bigint[], %(quantities)s::bigint[]) AS w (product_id, qty)
    JOIN catalog.inventory i USING (product_id) JOIN catalog.products p ON p.id = i.product_id
    WHERE EXISTS (SELECT FROM reservation)
    ORDER BY i.product_id FOR UPDATE OF i),
held AS (
    SELECT * FROM stock
    WHERE (SELECT count(*) = cardinality(%(product_ids)s) AND bool_and(active AND available >= qty)
           FROM stock)),
changed AS (
    UPDATE catalog.inventory i SET reserved = i.reserved + held.qty
    FROM held WHERE i.product_id = held.product_id),
lines AS (
    INSERT INTO catalog.reservation_items
        (reservation_id, product_id, title, qty, unit_price_cents, currency)
    SELECT %(id)s, product_id, title, qty, unit_price_cents, currency FROM held)
SELECT stock.* FROM (SELECT FROM reservation) AS made LEFT JOIN stock ON true"""
_LOCK = """
SELECT id, request_key, status, order_id,
       (SELECT json_agg(json_build_object('product_id', product_id, 'qty', qty))
        FROM catalog.reservation_items WHERE reservation_id = reservations.id) AS items
FROM catalog.reservations WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"""
_CLOSE = """
INSERT INTO catalog.reservations (id, status) VALUES (%s, 'RELEASED') ON CONFLICT DO NOTHING"""
_IN_THE_WAY = """
SELECT id, request_key, status, order_id FROM catalog.reservations
WHERE id = %s OR (request_key = %s AND status = 'HELD' AND order_id IS NULL)"""
_LINES = """
SELECT product_id, title, qty, unit_price_cents, currency FROM catalog.reservation_items
WHERE reservation_id = %s ORDER BY product_id"""

Transition = Callable[[Reservation], StockEffect]


async def reserve(transaction: Transaction, wanted: ReservationCreate) -> ReservationRead:
    """Hold all of it or nothing; the same answer again for the same id or open request key.

    Raises InsufficientStock, ProductWithdrawn, or ReservationClosed.
    """
    for _ in range(_ATTEMPTS):
        if lines := await _hold(transaction, wanted):
            return ReservationRead(reservation_id=wanted.reservation_id, items=lines)
        if held := await _find_held(transaction, wanted):
            items = await _read_items(transaction, held)
            return ReservationRead(reservation_id=held.id, items=items)
    raise ReservationClosed(f"Reservation {wanted.reservation_id} was changed at the same time.")


async def release(transaction: Transaction, reservation_id: UUID) -> Reservation:
    """No order will come for it.

    An id that is not known here is closed in advance, so that a slow request to reserve can't
    still hold goods under it.
    """
    await run(transaction, _CLOSE, (reservation_id,))
    return await _change(transaction, reservation_id, Reservation.release)


async def assign_order(transaction: Transaction, reservation_id: UUID, *, order_id: int) -> None:
    reservation = await _lock_reservation(transaction, reservation_id)
    reservation.assign(order_id)


async def sell(transaction: Transaction, reservation_id: UUID, *, order_id: int) -> None:
    await _change(transaction, reservation_id, lambda reservation: reservation.sell(order_id))


async def cancel(transaction: Transaction, reservation_id: UUID, *, order_id: int) -> None:
    await _change(transaction, reservation_id, lambda reservation: reservation.cancel(order_id))


async def list_orphans(
    session: AsyncSession, *, ttl: float, last: Sequence[UUID], limit: int
) -> Sequence[UUID]:
    """Reservations that have been without an order for longer than `ttl` seconds, oldest first,
    and behind all others those in `last`, in its order."""
    old = Reservation.created_at < func.now() - timedelta(seconds=ttl)
    query = select(Reservation.id).where(
        Reservation.status == _HELD, Reservation.order_id.is_(None), old
    )
    behind = func.array_position(literal(last, ARRAY(Uuid)), Reservation.id).nulls_first()
    query = query.order_by(behind, Reservation.created_at).limit(limit)
    return (await session.scalars(query)).all()


async def _find_held(transaction: Transaction, wanted: ReservationCreate) -> Reservation | None:
    """The reservation that is in the way, when it can be the answer; None when it just went."""
    rows = await fetch_all(transaction, _IN_THE_WAY, (wanted.reservation_id, wanted.request_key))
    found = {row["id"]: Reservation(**row) for row in rows}
    same = found.pop(wanted.reservation_id, None)
    if same is None:
        return next(iter(found.values()), None)
    if same.status != ReservationStatus.HELD:
        raise ReservationClosed(f"Reservation {same.id} is {same.status} already.")
    return same


async def _hold(
    transaction: Transaction, wanted: ReservationCreate
) -> list[ReservationLineRead] | None:
    """None when the id or the request key is in use; waits for a request that is using it now."""
    quantities = total_by_product(wanted.items)
    request = {
        "id": wanted.reservation_id,
        "key": wanted.request_key,
        "product_ids": list(quantities),
        "quantities": list(quantities.values()),
    }
    found = await fetch_all(transaction, _RESERVE, request)
    if not found:
        return None
    stock = {row["product_id"]: row for row in found if row["product_id"] is not None}
    _require_offered(quantities, stock)
    _require_available(stock)
    return [ReservationLineRead.model_validate(row) for row in stock.values()]


def _require_offered(quantities: Mapping[int, int], stock: Mapping[int, DictRow]) -> None:
    titles = {id_: row["title"] for id_, row in stock.items() if row["active"]}
    gone = sorted(quantities.keys() - titles.keys())
    if gone:
        names = ", ".join(stock[id_]["title"] if id_ in stock else f"product {id_}" for id_ in gone)
        raise ProductWithdrawn(f"No longer on sale: {names}.", product_ids=gone)


def _require_available(stock: Mapping[int, DictRow]) -> None:
    short = [
        {
            "product_id": id_,
            "title": row["title"],
            "wanted": row["qty"],
            "available": row["available"],
        }
        for id_, row in stock.items()
        if row["available"] < row["qty"]
    ]
    if short:
        names = ", ".join(f"{line['title']} ({line['available']} left)" for line in short)
        raise InsufficientStock(f"Not enough in stock: {names}.", short=short)


async def _change(
    transaction: Transaction, reservation_id: UUID, transition: Transition
) -> Reservation:
    reservation = await _lock_reservation(transaction, reservation_id)
    effect = transition(reservation)
    change_stock(transaction, [(item.product_id, item.qty) for item in reservation.items], effect)
    return reservation


async def _lock_reservation(transaction: Transaction, reservation_id: UUID) -> Reservation:
    """With its items' products and quantities, locked until the transaction's end."""
    reservation = await LOCKED.get(transaction, reservation_id)
    if reservation is None:
        raise ReservationNotFound(f"There is no reservation {reservation_id}.")
    return reservation


async def _lock_rows(transaction: Transaction, ids: Sequence[UUID]) -> dict[UUID, Reservation]:
    rows = await fetch_all(transaction, _LOCK, (list(ids),))
    return {
        row["id"]: Reservation(**row, items=[ReservationItem(**item) for item in items])
        for row in rows
        for items in [row.pop("items") or []]
    }


LOCKED = LockedRows(Reservation, changing=("status", "order_id"), lock=_lock_rows)


async def _read_items(
    transaction: Transaction, reservation: Reservation
) -> list[ReservationLineRead]:
    items = await fetch_all(transaction, _LINES, (reservation.id,))
    return [ReservationLineRead(**item) for item in items]
