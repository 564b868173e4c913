"""Cancelling an order: Shipping has the word, since only it knows whether the goods have left.

Whether an order was paid in time is Payment's to say: its event may still be on its way.
"""

from collections.abc import AsyncIterator

from libs.db import Database
from libs.http import DependencyUnavailable
from libs.idempotency import RequestKey, answer_once, claim_key, keep_answer
from libs.loops import Loop, Tolerance
from libs.security import Principal

from . import service
from .clients import Clients, ShippingClient
from .exceptions import OrderIsPaid, OrderNotCancellable
from .models import IdempotencyKey, Order, OrderStatus
from .schemas import OrderRead

_BATCH = 50
_EVERY_SECONDS = 5.0


async def cancel(
    database: Database,
    shipping: ShippingClient,
    order_id: int,
    viewer: Principal,
    request: RequestKey | None,
) -> OrderRead:
    """Ask Shipping, then cancel. Dying in between is safe: `shipping.cancelled` finishes it.

    Raises OrderNotFound, OrderNotCancellable, or DependencyUnavailable (nothing is known then).
    """

    async def act() -> OrderRead:
        async with database.session() as session:
            order = await service.get_order(session, order_id, viewer)
        if not order.is_cancellable:
            raise _not_cancellable(order)
        reason = "cancelled by the shop" if viewer.is_admin else "cancelled by the customer"
        await shipping.cancel(order, reason=reason)
        return await _cancel_agreed(database, order_id, reason, request)

    return await answer_once(database, IdempotencyKey, request, act, OrderRead)


async def _cancel_agreed(
    database: Database, order_id: int, reason: str, request: RequestKey | None = None
) -> OrderRead:
    async with database.transaction() as transaction:
        await claim_key(transaction, IdempotencyKey, request)
        order = await service.cancel_order(transaction, order_id, reason=reason)
        if order.status != OrderStatus.CANCELLED:
            raise _not_cancellable(order)
        answer = OrderRead.model_validate(order)
        await keep_answer(transaction, IdempotencyKey, request, answer)
    return answer


def _not_cancellable(order: Order) -> OrderNotCancellable:
    return OrderNotCancellable(f"Order {order.id} is {order.status.lower()} already.")


class Expiry:
    """The loop that cancels orders nobody has paid for within `ttl` seconds."""

    def __init__(self, database: Database, clients: Clients, *, ttl: float) -> None:
        self._database = database
        self._clients = clients
        self._ttl = ttl
        self._tolerance = Tolerance[int]()

    async def run(self, loop: Loop) -> None:
        while True:
            try:
                await self._sweep(loop)
            except DependencyUnavailable as away:
                loop.held_up(away.detail)
            await loop.sleep(min(_EVERY_SECONDS, self._ttl / 2))

    async def _sweep(self, loop: Loop) -> None:
        """Past the orders that are paid, too: their events may be late for long."""
        paid = 0
        self._tolerance.begin()
        async for order in self._in_turn():
            with self._tolerance.one(order.id):
                paid += not await self._expire(order, loop)
            loop.progressed(paid_unheard=paid)
        loop.progressed(paid_unheard=paid)
        self._tolerance.end()

    async def _in_turn(self) -> AsyncIterator[Order]:
        """All that have waited for too long, batch by batch; those that failed before come last."""
        last: Order | None = None
        failed: list[Order] = []
        while batch := await self._list_unpaid(after=last):
            for order in batch:
                if self._tolerance.has_failed(order.id):
                    failed.append(order)
                else:
                    yield order
            last = batch[-1]
        for order in self._tolerance.in_turn(failed, lambda order: order.id):
            yield order

    async def _list_unpaid(self, *, after: Order | None) -> list[Order]:
        async with self._database.session() as session:
            return await service.list_unpaid(session, ttl=self._ttl, after=after, limit=_BATCH)

    async def _expire(self, order: Order, loop: Loop) -> bool:
        """False when it is paid, whose event we shall see."""
        reason = "not paid in time"
        try:
            with loop.waiting():
                await self._clients.payment.close(order)
            with loop.waiting():
                await self._clients.shipping.cancel(order, reason=reason)
            await _cancel_agreed(self._database, order.id, reason)
        except (OrderIsPaid, OrderNotCancellable):
            return False
        return True
