"""Events that Order reacts to: payments, and what becomes of the shipment."""

from collections.abc import Sequence
from typing import Any

from libs.consumer import Handlers
from libs.events import (
    Event,
    PaymentSucceeded,
    ShippingCancelled,
    ShippingDispatched,
    ShippingReady,
)
from libs.unit_of_work import Transaction

from . import service


async def lock_orders(transaction: Transaction, events: Sequence[Event[Any]]) -> None:
    await service.LOCKED.lock(transaction, [event.data.order_id for event in events])


async def on_payment(
    transaction: Transaction, event: Event[PaymentSucceeded] | Event[ShippingReady]
) -> None:
    """A shipment is ready only when its order is paid, so either event tells of the payment."""
    await service.mark_paid(transaction, event.data.order_id)


async def on_shipping_dispatched(
    transaction: Transaction, event: Event[ShippingDispatched]
) -> None:
    await service.mark_shipped(transaction, event.data.order_id)


async def on_shipping_cancelled(transaction: Transaction, event: Event[ShippingCancelled]) -> None:
    """Finishes a cancellation whose Order died after it had asked Shipping."""
    reason = event.data.reason or "shipment cancelled"
    await service.cancel_order(transaction, event.data.order_id, reason=reason)


HANDLERS: Handlers = {
    PaymentSucceeded: on_payment,
    ShippingReady: on_payment,
    ShippingDispatched: on_shipping_dispatched,
    ShippingCancelled: on_shipping_cancelled,
}
