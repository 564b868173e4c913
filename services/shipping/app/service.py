"""Use cases: draft, pay, dispatch and cancel an order's shipment, list shipments.

A fact about an order locks the order's row, made if need be, so that facts can come in any
order and a dispatch and a cancellation never both succeed.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg.rows import DictRow
from sqlalchemy.ext.asyncio import AsyncSession

from libs.db import Reader
from libs.events import (
    Address,
    ShippingCancelled,
    ShippingDispatched,
    ShippingEvent,
    ShippingReady,
)
from libs.security import Principal
from libs.sql import fetch_all, fetch_one, run

from .exceptions import ShipmentNotFound
from .models import Shipment, outbox

CARRIER = "Demo Express"

_CHANGING = (
    *("status", "address_line1", "address_line2", "city", "country", "postcode", "paid_at"),
    *("carrier", "tracking_number", "dispatched_at", "cancelled_at", "cancel_reason"),
)
_COLUMNS = Shipment.__table__.columns.keys()
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM shipping.shipments"  # noqa: S608
_LOCK = f"{_SELECT} WHERE id = %s FOR UPDATE"
# An update that changes nothing locks the row that is there.
_LOCK_ORDER = f"""
INSERT INTO shipping.shipments (order_id, user_id, email) VALUES (%s, %s, %s)
ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
RETURNING {", ".join(_COLUMNS)}"""  # noqa: S608
_SAVE = f"""
UPDATE shipping.shipments SET {", ".join(f"{name} = %({name})s" for name in _CHANGING)}
WHERE id = %(id)s"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class OrderRef:
    """The order that a fact is about, and whose it is."""

    order_id: int
    user_id: int
    email: str


async def draft_shipment(session: AsyncSession, order: OrderRef, *, address: Address) -> Shipment:
    """Enter where the order goes; the first draft counts. A cancelled one stays cancelled."""
    shipment = await _lock_shipment(session, order)
    if shipment.is_drafted:
        return shipment
    if shipment.draft(address):
        _emit(session, shipment, ShippingReady)
    await _save(session, shipment)
    return shipment


async def mark_paid(session: AsyncSession, order: OrderRef) -> None:
    shipment = await _lock_shipment(session, order)
    if shipment.mark_paid(datetime.now(UTC)):
        _emit(session, shipment, ShippingReady)
    await _save(session, shipment)


async def cancel_shipment(session: AsyncSession, order: OrderRef, *, reason: str) -> None:
    """Cancel, also what is not drafted yet. Raises AlreadyDispatched."""
    shipment = await _lock_shipment(session, order)
    if shipment.cancel(datetime.now(UTC), reason=reason):
        _emit(session, shipment, ShippingCancelled, reason=reason)
        await _save(session, shipment)


async def dispatch_shipment(session: AsyncSession, *, shipment_id: int) -> Shipment:
    """Raises ShipmentNotFound or NotReadyToShip."""
    found = await fetch_one(session, _LOCK, (shipment_id,))
    shipment = Shipment(**found) if found else None
    if shipment is None or not shipment.is_drafted:
        raise ShipmentNotFound(f"There is no shipment {shipment_id}.")
    shipment.dispatch(
        datetime.now(UTC),
        carrier=CARRIER,
        tracking_number=f"DEMO{secrets.token_hex(8).upper()}",
    )
    _emit(session, shipment, ShippingDispatched)
    await _save(session, shipment)
    return shipment


async def list_shipments(
    reader: Reader, viewer: Principal, *, order_id: int | None, limit: int
) -> list[DictRow]:
    """Rows of shipments, newest first; only an admin sees those of others."""
    chosen = ["address_line1 IS NOT NULL"]
    if order_id is not None:
        chosen.append("order_id = %(order_id)s")
    if not viewer.is_admin:
        chosen.append("user_id = %(user_id)s")
    statement = f"{_SELECT} WHERE {' AND '.join(chosen)} ORDER BY id DESC LIMIT %(limit)s"
    values = {"order_id": order_id, "user_id": viewer.user_id, "limit": limit}
    return await fetch_all(reader, statement, values)


async def _lock_shipment(session: AsyncSession, order: OrderRef) -> Shipment:
    """The order's row, locked, made if need be, in one statement."""
    found = await fetch_one(session, _LOCK_ORDER, (order.order_id, order.user_id, order.email))
    assert found is not None
    return Shipment(**found)


async def _save(session: AsyncSession, shipment: Shipment) -> None:
    await run(session, _SAVE, {name: getattr(shipment, name) for name in ("id", *_CHANGING)})


def _emit(
    session: AsyncSession, shipment: Shipment, event: type[ShippingEvent], **facts: str
) -> None:
    outbox.add(
        session,
        event(
            order_id=shipment.order_id,
            user_id=shipment.user_id,
            email=shipment.email,
            shipment_id=shipment.id,
            carrier=shipment.carrier,
            tracking_number=shipment.tracking_number,
            **facts,
        ),
    )
