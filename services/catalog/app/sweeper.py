"""The loop that finds reservations whose order never came: a crash in the middle of a checkout.

It asks Order first and opens a transaction afterwards. Two replicas may ask about the same
reservation; Order's answer stays the same, and the second finds it settled under its row lock.
"""

from uuid import UUID

from libs.db import Database
from libs.http import DependencyUnavailable
from libs.loops import Loop, Tolerance

from .clients import OrderClient
from .service import reservations

_BATCH = 50
_EVERY_SECONDS = 5.0


class Sweeper:
    def __init__(self, database: Database, orders: OrderClient, *, ttl: float) -> None:
        self._database = database
        self._orders = orders
        self._ttl = ttl
        self._tolerance = Tolerance[UUID]()

    async def run(self, loop: Loop) -> None:
        while True:
            more = False
            try:
                more = await self._sweep(loop)
            except DependencyUnavailable as away:
                loop.held_up(away.detail)
            if not more:
                await loop.sleep(min(_EVERY_SECONDS, self._ttl / 2))

    async def _sweep(self, loop: Loop) -> bool:
        """Settle a batch; True when there may be more to do at once."""
        async with self._database.session() as session:
            orphans = await reservations.list_orphans(
                session, ttl=self._ttl, last=self._tolerance.failed(), limit=_BATCH
            )
        if len(orphans) < _BATCH:
            self._tolerance.forget_all_but(orphans)
        settled = 0
        self._tolerance.begin()
        for reservation_id in orphans:
            with self._tolerance.one(reservation_id):
                await self._settle(reservation_id, loop)
                settled += 1
            loop.progressed(waiting=len(orphans) - settled)
        loop.progressed(waiting=len(orphans) - settled)
        self._tolerance.end()
        return settled == _BATCH

    async def _settle(self, reservation_id: UUID, loop: Loop) -> None:
        with loop.waiting():
            order_id = await self._orders.claim(reservation_id)
        async with self._database.transaction() as transaction:
            if order_id is None:
                await reservations.release(transaction, reservation_id)
            else:
                await reservations.assign_order(transaction, reservation_id, order_id=order_id)
