"""Notices when a shipment becomes READY_TO_SHIP."""

import asyncio
import time
from typing import Any, LiteralString

import psycopg

ALONE, CROWD = 0.001, 0.004
"""Seconds between two looks: for one or two that wait, and for more."""
_LOOK: LiteralString = (
    "SELECT order_id, id FROM shipping.shipments"
    " WHERE order_id = ANY(%s) AND status = 'READY_TO_SHIP'"
)


class Readiness:
    """Asks the database for all flows at once, past the gateway.

    Asking Shipping would cost more than the step that is measured: some 3 F a call, several calls
    a flow. Shipping's own timestamps are of before its commit, and a batch of events commits
    together, so under load they flatter. A row that another connection sees is committed: the next
    GET shows it. What is told is the time of the first look that saw it, so a lag is measured too
    long by up to one pause and one look, never too short. A look is one index scan, about 0.1 ms of
    CPU on both sides; the client's own connection is left out of what Postgres is charged for.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self._waiting: dict[int, asyncio.Future[tuple[int, float]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, order_id: int, limit: float) -> tuple[int, float] | None:
        """(the shipment's id, when it was seen to be ready); None after `limit` seconds."""
        loop = asyncio.get_running_loop()
        seen: asyncio.Future[tuple[int, float]] = loop.create_future()
        self._waiting[order_id] = seen
        if self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._look())
        try:
            async with asyncio.timeout(limit):
                return await seen
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(order_id, None)

    async def _look(self) -> None:
        try:
            async with self._connection.cursor(binary=True) as cursor:
                while self._waiting:
                    await cursor.execute(_LOOK, (list(self._waiting),), prepare=True)
                    rows, now = await cursor.fetchall(), time.perf_counter()
                    for order_id, shipment_id in rows:
                        if seen := self._waiting.pop(order_id, None):
                            seen.set_result((shipment_id, now))
                    await asyncio.sleep(ALONE if len(self._waiting) < 3 else CROWD)
        except psycopg.Error as error:
            for seen in self._waiting.values():
                if not seen.done():
                    seen.set_exception(error)
