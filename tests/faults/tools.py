"""A stack whose services die and freeze at chosen points of their work."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from scripts.localstack import Folder
from tests.audit.tools import Stand
from tests.support.gates import Gate, gate
from tests.support.health import takes_part
from tests.support.kafka import EventLog
from tests.support.market import Json, Market
from tests.support.people import Customer
from tests.support.waiting import eventually

AWAY = {502, 503, 504}
"""What the gateway answers for a service that died with the request in hand."""


class Faults:
    def __init__(self, stand: Stand, events: EventLog) -> None:
        self.stand = stand
        self.events = events
        self.query = stand.query
        self.market: Market = stand.market
        self.product: Json = stand.product
        self.dsn: str = stand.stack["postgres_dsn"]

    def url(self, service: str) -> str:
        url: str = self.stand.stack["services"][service]["url"]
        return url

    def pid(self, service: str) -> int:
        info = Folder(Path(self.stand.folder)).read()
        assert info
        return info["services"][service]["pid"]

    def gate(
        self, change: str, *, when: str = "true", at_commit: bool = False
    ) -> AbstractAsyncContextManager[Gate]:
        return gate(self.dsn, change, when=when, at_commit=at_commit)

    async def kill(self, *services: str) -> None:
        """At once; the stack starts a new copy of each by itself."""
        before = {name: self.pid(name) for name in services}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)

        async def gone() -> bool:
            return not any(_lives(pid) for pid in before.values())

        await eventually(gone, what="an end")

    async def up_again(self, *services: str) -> None:
        """Each with its consumer in its group again."""
        for name in services:

            async def works(name: str = name) -> bool:
                try:
                    health = await self.market.api.get(f"{self.url(name)}/health", timeout=3)
                except httpx.TransportError:
                    return False
                return takes_part(health.json())

            await eventually(works, within=60, what=f"{name} up again")

    @contextmanager
    def frozen(self, service: str) -> Iterator[None]:
        pid = self.pid(service)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def place_order(self, qty: int = 1) -> tuple[Customer, Json]:
        buyer = await self.market.new_customer()
        return buyer, await self.market.place_order(buyer, self.product, qty)

    async def ready_order(self) -> tuple[Customer, Json, Json]:
        """A paid order and its shipment, ready to ship."""
        buyer, order = await self.place_order()
        assert (await self.market.pay(buyer, order)).status_code == 201
        shipment = await self.market.wait_for_shipment(order, "READY_TO_SHIP")
        await self.market.wait_for_order(order, "PAID")
        return buyer, order, shipment

    async def close(self, order: Json) -> httpx.Response:
        """What Order's expiry asks of Payment."""
        path = f"{self.url('payment')}/internal/orders/{order['order_id']}/close"
        return await self.market.api.post(path, headers=self.market.internal_key)

    async def age(self, order: Json) -> None:
        """Let its time to be paid be over."""
        aged = "UPDATE \"order\".orders SET created_at = now() - interval '1 day' WHERE id = %s"
        await self.query(aged, order["order_id"])

    async def wait_for_lock(self, table: str) -> None:
        """Until somebody's statement on this table waits for a row that another one has locked."""
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND wait_event = 'transactionid' AND replace(query, '\"', '') LIKE %s"
        )
        await eventually(
            lambda: self.query(waiting, f"%{table}%"), within=15, what=f"a lock in {table}"
        )

    async def messages_of(self, order: Json, event_type: str) -> int:
        """How many of this type the order has in its topic."""
        return len(await self.events.of_order(order["order_id"], event_type))

    async def events_of(self, order: Json, event_type: str) -> int:
        """How many different ones."""
        found = await self.events.of_order(order["order_id"], event_type)
        return len({event["id"] for event in found})

    async def all_is_well(self, *, doubled_mails: int = 0) -> None:
        broken = await self.stand.audit(wait=20, doubled_mails=doubled_mails)
        assert not broken, broken


@asynccontextmanager
async def under_way(call: Any) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A request that is held up, and will have no answer or a late one."""
    task: asyncio.Task[httpx.Response] = asyncio.create_task(call)
    try:
        yield task
    finally:
        await asyncio.wait({task}, timeout=30)
        task.cancel()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
