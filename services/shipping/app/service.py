"""Use cases: draft, pay, dispatch and cancel an order's shipment, list shipments.

A fact about an order locks the order's row, made if need be, so that facts can come in any
order and a dispatch and a cancellation never both succeed.
"""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from psycopg.rows import DictRow

from libs.db import Database
from libs.events import (
    Address,
    ShippingCancelled,
    ShippingDispatched,
    ShippingEvent,
    ShippingReady,
)
from libs.locked_rows import LockedRows
from libs.security import Principal
from libs.sql import fetch_all, fetch_one
from libs.unit_of_work import Statements, Transaction

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
_LOCK_ORDERS = f"""
INSERT INTO shipping.shipments (order_id, user_id, email)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS v (order_id) ORDER BY v.order_id
ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
RETURNING {", ".join(_COLUMNS)}"""  # noqa: S608
_DRAFT = f"""
INSERT INTO shipping.shipments
    (order_id, user_id, email, address_line1, address_line2, city, country, postcode)
VALUES (%(order_id)s, %(user_id)s, %(email)s, %(address_line1)s, %(address_line2)s, %(city)s,
        %(country)s, %(postcode)s)
ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
RETURNING {", ".join(_COLUMNS)}"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class OrderRef:
    """The order that a fact is about, and whose it is."""

    order_id: int
    user_id: int = field(compare=False)
    email: str = field(compare=False)


async def open_shipment(database: Database, order: OrderRef, *, address: Address) -> Shipment:
    """As `draft_shipment`; by one statement alone when this is the order's first fact."""
    async with database.autocommit() as statements:
        shipment = await _insert_draft(statements, order, address)
    if not shipment.is_drafted:
        async with database.transaction() as transaction:
            return await draft_shipment(transaction, order, address=address)
    return shipment


async def draft_shipment(
    transaction: Transaction, order: OrderRef, *, address: Address
) -> Shipment:
    """Enter where the order goes; the first draft counts. A cancelled one stays cancelled."""
    shipment = await _lock_shipment(transaction, order)
    if shipment.draft(address):
        _emit(transaction, shipment, ShippingReady)
    return shipment


async def mark_paid(transaction: Transaction, order: OrderRef) -> None:
    shipment = await _lock_shipment(transaction, order)
    if shipment.mark_paid(datetime.now(UTC)):
        _emit(transaction, shipment, ShippingReady)


async def cancel_shipment(transaction: Transaction, order: OrderRef, *, reason: str) -> None:
    """Cancel, also what is not drafted yet. Raises AlreadyDispatched."""
    shipment = await _lock_shipment(transaction, order)
    if shipment.cancel(datetime.now(UTC), reason=reason):
        _emit(transaction, shipment, ShippingCancelled, reason=reason)


async def dispatch_shipment(transaction: Transaction, *, shipment_id: int) -> Shipment:
    """Raises ShipmentNotFound or NotReadyToShip."""
    found = await fetch_one(transaction, _LOCK, (shipment_id,))
    shipment = Shipment(**found) if found else None
    if shipment is None or not shipment.is_drafted:
        raise ShipmentNotFound(f"There is no shipment {shipment_id}.")
    LOCKED.hold(
        transaction, OrderRef(shipment.order_id, shipment.user_id, shipment.email), shipment
    )
    shipment.dispatch(
        datetime.now(UTC),
        carrier=CARRIER,
        tracking_number=f"DEMO{secrets.token_hex(8).upper()}",
    )
    _emit(transaction, shipment, ShippingDispatched)
    return shipment


async def list_shipments(
    reader: Statements, viewer: Principal, *, order_id: int | None, limit: int
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


async def _insert_draft(statements: Statements, order: OrderRef, address: Address) -> Shipment:
    """The order's row, locked; without an address when another fact has made it before."""
    row = await fetch_one(statements, _DRAFT, asdict(order) | dict(address))
    assert row is not None
    return Shipment(**row)


async def _lock_shipment(transaction: Transaction, order: OrderRef) -> Shipment:
    """The order's row, locked, made if need be."""
    shipment = await LOCKED.get(transaction, order)
    assert shipment is not None
    return shipment


async def _lock_rows(
    transaction: Transaction, orders: Sequence[OrderRef]
) -> dict[OrderRef, Shipment]:
    columns = zip(*(asdict(order).values() for order in orders), strict=True)
    rows = await fetch_all(transaction, _LOCK_ORDERS, [list(column) for column in columns])
    shipments = {row["order_id"]: Shipment(**row) for row in rows}
    return {order: shipments[order.order_id] for order in orders}


LOCKED = LockedRows(Shipment, changing=_CHANGING, lock=_lock_rows)


def _emit(
    transaction: Transaction, shipment: Shipment, event: type[ShippingEvent], **facts: str
) -> None:
    outbox.add(
        transaction,
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
