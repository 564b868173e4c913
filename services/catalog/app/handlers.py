"""Events that Catalog reacts to.

An event that names a reservation which is not here, or is another order's, has an effect that is
missing: it goes to the dead letters, where it is seen and can be replayed once the data is mended.
Skipping it would leave goods held, or sold without leaving the stock, and nobody would know.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from libs.consumer import EventRefused, Handlers
from libs.events import Event, OrderCancelled, OrderCreated, OrderPaid

from .exceptions import ReservationNotFound, ReservationOfAnotherOrder
from .service import reservations

OrderEvent = OrderCreated | OrderPaid | OrderCancelled
UseCase = Callable[..., Coroutine[Any, Any, None]]


async def on_order_created(session: AsyncSession, event: Event[OrderCreated]) -> None:
    await _call(reservations.assign_order, session, event.data)


async def on_order_paid(session: AsyncSession, event: Event[OrderPaid]) -> None:
    await _call(reservations.sell, session, event.data)


async def on_order_cancelled(session: AsyncSession, event: Event[OrderCancelled]) -> None:
    await _call(reservations.cancel, session, event.data)


async def _call(use_case: UseCase, session: AsyncSession, data: OrderEvent) -> None:
    try:
        await use_case(session, data.reservation_id, order_id=data.order_id)
    except (ReservationNotFound, ReservationOfAnotherOrder) as problem:
        raise EventRefused(problem.detail) from None


HANDLERS: Handlers = {
    OrderCreated: on_order_created,
    OrderPaid: on_order_paid,
    OrderCancelled: on_order_cancelled,
}
