"""Events that Catalog reacts to.

An event that names a reservation which is not here, or is another order's, has an effect that is
missing: it goes to the dead letters, where it is seen and can be replayed once the data is mended.
Skipping it would leave goods held, or sold without leaving the stock, and nobody would know.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from libs.consumer import EventRefused, Handlers
from libs.events import Event, OrderCancelled, OrderCreated, OrderPaid
from libs.unit_of_work import Transaction

from .exceptions import ReservationNotFound, ReservationOfAnotherOrder
from .service import reservations

OrderEvent = OrderCreated | OrderPaid | OrderCancelled
UseCase = Callable[..., Coroutine[Any, Any, None]]


async def lock_reservations(transaction: Transaction, events: Sequence[Event[Any]]) -> None:
    await reservations.LOCKED.lock(transaction, [event.data.reservation_id for event in events])


async def on_order_created(transaction: Transaction, event: Event[OrderCreated]) -> None:
    await _call(reservations.assign_order, transaction, event.data)


async def on_order_paid(transaction: Transaction, event: Event[OrderPaid]) -> None:
    await _call(reservations.sell, transaction, event.data)


async def on_order_cancelled(transaction: Transaction, event: Event[OrderCancelled]) -> None:
    await _call(reservations.cancel, transaction, event.data)


async def _call(use_case: UseCase, transaction: Transaction, data: OrderEvent) -> None:
    try:
        await use_case(transaction, data.reservation_id, order_id=data.order_id)
    except (ReservationNotFound, ReservationOfAnotherOrder) as problem:
        raise EventRefused(problem.detail) from None


HANDLERS: Handlers = {
    OrderCreated: on_order_created,
    OrderPaid: on_order_paid,
    OrderCancelled: on_order_cancelled,
}
