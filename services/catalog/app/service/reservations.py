"""Use cases: hold goods for an order to come, and let them go, sell or take them back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from psycopg.rows import DictRow
from sqlalchemy import func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.sql import fetch_one, run

from ..exceptions import (
    InsufficientStock,
    ProductWithdrawn,
    ReservationClosed,
    ReservationNotFound,
)
from ..models import Reservation, ReservationItem, ReservationStatus, StockEffect
from ..schemas import ReservationCreate, ReservationLineRead, ReservationRead
from .stock import change_stock, lock_stock, total_by_product, write_stock

_ATTEMPTS = 3
# In the statement's text: with a parameter no prepared plan can use the indexes of open ones.
_HELD = literal(ReservationStatus.HELD, literal_execute=True)

_LINE = ("product_id", "title", "qty", "unit_price_cents", "currency")
_INSERT = """
INSERT INTO catalog.reservations (id, request_key, status) VALUES (%s, %s, 'HELD')
ON CONFLICT DO NOTHING"""
_INSERT_LINES = """
INSERT INTO catalog.reservation_items
    (reservation_id, product_id, title, qty, unit_price_cents, currency)
SELECT %(reservation_id)s, line.*
FROM unnest(%(product_id)s::bigint[], %(title)s::text[], %(qty)s::bigint[],
            %(unit_price_cents)s::bigint[], %(currency)s::text[]) AS line"""
_LOCK = """
SELECT id, request_key, status, order_id FROM catalog.reservations WHERE id = %s
FOR NO KEY UPDATE"""
_SAVE = "UPDATE catalog.reservations SET status = %s, order_id = %s WHERE id = %s"
_QUANTITIES = "SELECT product_id, qty FROM catalog.reservation_items WHERE reservation_id = %s"

Transition = Callable[[Reservation], StockEffect]


async def reserve(session: AsyncSession, wanted: ReservationCreate) -> ReservationRead:
    """Hold all of it or nothing; the same answer again for the same id or open request key.

    Raises InsufficientStock, ProductWithdrawn, or ReservationClosed.
    """
    for _ in range(_ATTEMPTS):
        if await _insert(session, wanted):
            return ReservationRead(
                reservation_id=wanted.reservation_id, items=await _hold(session, wanted)
            )
        if held := await _find_held(session, wanted):
            return ReservationRead(reservation_id=held.id, items=await _read_items(session, held))
    raise ReservationClosed(f"Reservation {wanted.reservation_id} was changed at the same time.")


async def release(session: AsyncSession, reservation_id: UUID) -> Reservation:
    """No order will come for it.

    An id that is not known here is closed in advance, so that a slow request to reserve can't
    still hold goods under it.
    """
    closed = insert(Reservation).values(id=reservation_id, status=ReservationStatus.RELEASED)
    await session.execute(closed.on_conflict_do_nothing())
    return await _change(session, reservation_id, Reservation.release)


async def assign_order(session: AsyncSession, reservation_id: UUID, *, order_id: int) -> None:
    reservation = await _lock_reservation(session, reservation_id)
    reservation.assign(order_id)
    await _save(session, reservation)


async def sell(session: AsyncSession, reservation_id: UUID, *, order_id: int) -> None:
    await _change(session, reservation_id, lambda reservation: reservation.sell(order_id))


async def cancel(session: AsyncSession, reservation_id: UUID, *, order_id: int) -> None:
    await _change(session, reservation_id, lambda reservation: reservation.cancel(order_id))


async def list_orphans(session: AsyncSession, *, ttl: float, limit: int) -> Sequence[UUID]:
    """Reservations that have been without an order for longer than `ttl` seconds."""
    old = Reservation.created_at < func.now() - timedelta(seconds=ttl)
    query = select(Reservation.id).where(
        Reservation.status == _HELD, Reservation.order_id.is_(None), old
    )
    return (await session.scalars(query.order_by(Reservation.created_at).limit(limit))).all()


async def _insert(session: AsyncSession, wanted: ReservationCreate) -> bool:
    """False when the id or the request key is in use; waits for a request that is using it now."""
    inserted = await run(session, _INSERT, (wanted.reservation_id, wanted.request_key))
    return inserted.rowcount == 1


async def _find_held(session: AsyncSession, wanted: ReservationCreate) -> Reservation | None:
    """The reservation that is in the way, when it can be the answer; None when it just went."""
    open_request = (Reservation.request_key == wanted.request_key) & (
        (Reservation.status == _HELD) & Reservation.order_id.is_(None)
    )
    query = select(Reservation).where(or_(Reservation.id == wanted.reservation_id, open_request))
    found = {reservation.id: reservation for reservation in await session.scalars(query)}
    same = found.pop(wanted.reservation_id, None)
    if same is None:
        return next(iter(found.values()), None)
    if same.status != ReservationStatus.HELD:
        raise ReservationClosed(f"Reservation {same.id} is {same.status} already.")
    return same


async def _hold(session: AsyncSession, wanted: ReservationCreate) -> list[ReservationLineRead]:
    quantities = total_by_product(wanted.items)
    stock = await lock_stock(session, quantities)
    _require_offered(quantities, stock)
    _require_available(quantities, stock)
    lines = [
        ReservationLineRead(
            product_id=product_id,
            title=row["title"],
            qty=quantities[product_id],
            unit_price_cents=row["price_cents"],
            currency=row["currency"],
        )
        for product_id, row in stock.items()
    ]
    await write_stock(session, {id_: StockEffect(0, qty) for id_, qty in quantities.items()})
    columns = {name: [getattr(line, name) for line in lines] for name in _LINE}
    await run(session, _INSERT_LINES, {"reservation_id": wanted.reservation_id, **columns})
    return lines


def _require_offered(quantities: Mapping[int, int], stock: Mapping[int, DictRow]) -> None:
    titles = {id_: row["title"] for id_, row in stock.items() if row["active"]}
    gone = sorted(quantities.keys() - titles.keys())
    if gone:
        names = ", ".join(stock[id_]["title"] if id_ in stock else f"product {id_}" for id_ in gone)
        raise ProductWithdrawn(f"No longer on sale: {names}.", product_ids=gone)


def _require_available(quantities: Mapping[int, int], stock: Mapping[int, DictRow]) -> None:
    short = [
        {
            "product_id": id_,
            "title": row["title"],
            "wanted": wanted,
            "available": row["available"],
        }
        for id_, row in stock.items()
        if row["available"] < (wanted := quantities[id_])
    ]
    if short:
        names = ", ".join(f"{line['title']} ({line['available']} left)" for line in short)
        raise InsufficientStock(f"Not enough in stock: {names}.", short=short)


async def _change(
    session: AsyncSession, reservation_id: UUID, transition: Transition
) -> Reservation:
    reservation = await _lock_reservation(session, reservation_id)
    effect = transition(reservation)
    await _save(session, reservation)
    if any(effect):
        lines = await run(session, _QUANTITIES, (reservation_id,))
        change_stock(session, await lines.fetchall(), effect)
    return reservation


async def _lock_reservation(session: AsyncSession, reservation_id: UUID) -> Reservation:
    found = await fetch_one(session, _LOCK, (reservation_id,))
    if found is None:
        raise ReservationNotFound(f"There is no reservation {reservation_id}.")
    return Reservation(**found)


async def _save(session: AsyncSession, reservation: Reservation) -> None:
    await run(session, _SAVE, (reservation.status, reservation.order_id, reservation.id))


async def _read_items(session: AsyncSession, reservation: Reservation) -> list[ReservationLineRead]:
    query = select(ReservationItem).where(ReservationItem.reservation_id == reservation.id)
    items = await session.scalars(query.order_by(ReservationItem.product_id))
    return [ReservationLineRead.model_validate(item) for item in items]
