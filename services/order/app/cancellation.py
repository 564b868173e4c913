"""Cancelling an order: Shipping has the word, since only it knows whether the goods have left.

Whether an order was paid in time is Payment's to say: its event may still be on its way.
"""

from libs.db import Database
from libs.http import DependencyUnavailable
from libs.loops import Loop
from libs.security import Principal

from . import service
from .clients import Clients, ShippingClient
from .exceptions import OrderIsPaid, OrderNotCancellable
from .models import Order, OrderStatus

_BATCH = 50
_EVERY_SECONDS = 5.0


async def cancel(
    database: Database, shipping: ShippingClient, order_id: int, viewer: Principal
) -> Order:
    """Ask Shipping, then cancel. Dying in between is safe: `shipping.cancelled` finishes it.

    Raises OrderNotFound, OrderNotCancellable, or DependencyUnavailable (nothing is known then).
    """
    async with database.transaction() as session:
        order = await service.get_order(session, order_id, viewer)
    if not order.is_cancellable:
        raise OrderNotCancellable(f"Order {order_id} is {order.status.lower()} already.")
    reason = "cancelled by the shop" if viewer.is_admin else "cancelled by the customer"
    await shipping.cancel(order, reason=reason)
    return await _cancel_agreed(database, order_id, reason)


async def _cancel_agreed(database: Database, order_id: int, reason: str) -> Order:
    async with database.transaction() as session:
        order = await service.cancel_order(session, order_id, reason=reason)
    if order.status != OrderStatus.CANCELLED:
        raise OrderNotCancellable(f"Order {order_id} is {order.status.lower()} already.")
    return order


class Expiry:
    """The loop that cancels orders nobody has paid for within `ttl` seconds."""

    def __init__(self, database: Database, clients: Clients, *, ttl: float) -> None:
        self._database = database
        self._clients = clients
        self._ttl = ttl

    async def run(self, loop: Loop) -> None:
        while True:
            try:
                await self._sweep(loop)
            except DependencyUnavailable as away:
                loop.held_up(away.detail)
            await loop.sleep(min(_EVERY_SECONDS, self._ttl / 2))

    async def _sweep(self, loop: Loop) -> None:
        """Past the orders that are paid, too: their events may be late for long."""
        last: Order | None = None
        paid = 0
        while batch := await self._list_unpaid(after=last):
            for order in batch:
                paid += not await self._expire(order)
                loop.progressed(paid_unheard=paid)
                loop.checkpoint()
            last = batch[-1]
        loop.progressed(paid_unheard=paid)

    async def _list_unpaid(self, *, after: Order | None) -> list[Order]:
        async with self._database.transaction() as session:
            return await service.list_unpaid(session, ttl=self._ttl, after=after, limit=_BATCH)

    async def _expire(self, order: Order) -> bool:
        """False when it is paid, whose event we shall see."""
        reason = "not paid in time"
        try:
            await self._clients.payment.close(order)
            await self._clients.shipping.cancel(order, reason=reason)
            await _cancel_agreed(self._database, order.id, reason)
        except (OrderIsPaid, OrderNotCancellable):
            return False
        return True
