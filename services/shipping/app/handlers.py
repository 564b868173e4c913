"""Events that Shipping reacts to."""

from collections.abc import Sequence
from typing import Any

from libs.consumer import Handlers
from libs.events import Event, EventData, OrderCancelled, OrderCreated, PaymentSucceeded
from libs.logging import fields, get_logger
from libs.unit_of_work import Transaction

from . import service
from .exceptions import AlreadyDispatched
from .service import OrderRef

log = get_logger(__name__)


async def lock_shipments(transaction: Transaction, events: Sequence[Event[Any]]) -> None:
    await service.LOCKED.lock(transaction, [_order(event.data) for event in events])


async def on_order_created(transaction: Transaction, event: Event[OrderCreated]) -> None:
    await service.draft_shipment(transaction, _order(event.data), address=event.data.address)


async def on_payment_succeeded(transaction: Transaction, event: Event[PaymentSucceeded]) -> None:
    await service.mark_paid(transaction, _order(event.data))


async def on_order_cancelled(transaction: Transaction, event: Event[OrderCancelled]) -> None:
    """Order asks before it cancels, so this finds the shipment cancelled, or not heard of."""
    try:
        await service.cancel_shipment(transaction, _order(event.data), reason=event.data.reason)
    except AlreadyDispatched:
        log.error(
            "order cancelled after its dispatch; nothing changed",
            extra=fields(order_id=event.data.order_id),
        )


def _order(data: EventData) -> OrderRef:
    return OrderRef(data.order_id, data.user_id, data.email)


HANDLERS: Handlers = {
    OrderCreated: on_order_created,
    PaymentSucceeded: on_payment_succeeded,
    OrderCancelled: on_order_cancelled,
}
