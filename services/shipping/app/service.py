"""Use cases: draft, pay, dispatch and cancel an order's shipment, list shipments.

A fact about an order locks the order's row, made if need be, so that facts can come in any
order and a dispatch and a cancellation never both succeed.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
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

from .exceptions import ShipmentNotFound
from .models import Shipment, outbox

CARRIER = "Demo Express"


@dataclass(frozen=True, slots=True)
class OrderRef:
    """The order that a fact is about, and whose it is."""

    order_id: int
    user_id: int
    email: str


async def draft_shipment(session: AsyncSession, order: OrderRef, *, address: Address) -> Shipment:
    """Enter where the order goes; the first draft counts. A cancelled one stays cancelled."""
    shipment = await _lock_shipment(session, order)
    if shipment.draft(address):
        _emit(session, shipment, ShippingReady)
    return shipment


async def mark_paid(session: AsyncSession, order: OrderRef) -> None:
    shipment = await _lock_shipment(session, order)
    if shipment.mark_paid(datetime.now(UTC)):
        _emit(session, shipment, ShippingReady)


async def cancel_shipment(session: AsyncSession, order: OrderRef, *, reason: str) -> None:
    """Cancel, also what is not drafted yet. Raises AlreadyDispatched."""
    shipment = await _lock_shipment(session, order)
    if shipment.cancel(datetime.now(UTC), reason=reason):
        _emit(session, shipment, ShippingCancelled, reason=reason)


async def dispatch_shipment(session: AsyncSession, *, shipment_id: int) -> Shipment:
    """Raises ShipmentNotFound or NotReadyToShip."""
    shipment = await session.get(Shipment, shipment_id, with_for_update=True)
    if shipment is None or not shipment.is_drafted:
        raise ShipmentNotFound(f"There is no shipment {shipment_id}.")
    shipment.dispatch(
        datetime.now(UTC),
        carrier=CARRIER,
        tracking_number=f"DEMO{secrets.token_hex(8).upper()}",
    )
    _emit(session, shipment, ShippingDispatched)
    return shipment


async def list_shipments(
    reader: Reader, viewer: Principal, *, order_id: int | None, limit: int
) -> Sequence[Any]:
    """Rows of shipments, newest first; only an admin sees those of others."""
    query = select(Shipment.__table__).where(Shipment.address_line1.is_not(None))
    if order_id is not None:
        query = query.where(Shipment.order_id == order_id)
    if not viewer.is_admin:
        query = query.where(Shipment.user_id == viewer.user_id)
    return (await reader.execute(query.order_by(Shipment.id.desc()).limit(limit))).all()


async def _lock_shipment(session: AsyncSession, order: OrderRef) -> Shipment:
    """The order's row, locked, made if need be, in one statement."""
    new = insert(Shipment).values(order_id=order.order_id, user_id=order.user_id, email=order.email)
    # An update that changes nothing locks the row that is there.
    statement = new.on_conflict_do_update(
        index_elements=[Shipment.order_id], set_={"order_id": new.excluded.order_id}
    ).returning(Shipment)
    found = await session.scalars(statement, execution_options={"populate_existing": True})
    return found.one()


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
