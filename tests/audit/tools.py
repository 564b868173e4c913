"""The audit's and the operator's commands on a stack of these tests' own, and ways to spoil it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx

from scripts.auditing.audit import Limits, audit
from scripts.auditing.quiet import wait_until_quiet
from scripts.console import Console
from scripts.stacks import target_of
from tests.support.database import Query
from tests.support.forks import ROOT
from tests.support.kafka import Publisher
from tests.support.market import Json, Market
from tests.support.scripts import Done, run_script
from tests.support.waiting import eventually

POISONED = {"catalog", "notifications", "payment", "shipping"}
"""The groups that each make a dead letter of what can't be read in `order.events`."""


@dataclass(frozen=True)
class Breach:
    """A broken rule, and the names of what breaks it."""

    rule: str
    rows: list[str]


@dataclass(frozen=True)
class Stand:
    """A stack with some orders in every state; what they are is in `orders` by name."""

    stack: Json
    folder: str
    market: Market
    query: Query
    publish: Publisher
    product: Json
    orders: dict[str, int]

    def command(self, script: str, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "scripts" / script), *arguments]

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "LOCAL_STACK_DIR": self.folder, "PYTHONPATH": str(ROOT)}

    async def run(self, script: str, *arguments: str, **env: str) -> Done:
        env.setdefault("LOCAL_STACK_DIR", self.folder)

        def run() -> Done:
            return run_script(script, *arguments, repo=ROOT, **env)

        return await asyncio.to_thread(run)

    async def audit(self, *, wait: float = 0, doubled_mails: int = 0) -> list[Breach]:
        """The rules that it finds broken."""
        return await find_breaches(self.stack, wait=wait, doubled_mails=doubled_mails)

    async def dlq(self, *arguments: str) -> Done:
        return await self.run("events.py", "dlq", *arguments)

    async def letters(self, *arguments: str) -> list[Json]:
        done = await self.dlq("list", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        found: list[Json] = json.loads(done.stdout)
        return found

    async def wait_for_letters(self, number: int) -> list[Json]:
        """Once so many are written; they are published at once then."""

        async def complete() -> list[Json] | None:
            found = await self.letters()
            return found if len(found) >= number else None

        return await eventually(complete, within=20, what=f"{number} dead letters")

    @asynccontextmanager
    async def without(self, table: str, where: str) -> AsyncIterator[None]:
        """These rows are gone for a while; blocks within each other come back in reverse."""
        kept = f"kept_{uuid4().hex}"
        await self.query(f"CREATE TABLE {kept} AS SELECT * FROM {table} WHERE {where}")  # noqa: S608
        try:
            assert await self.query(f"DELETE FROM {table} WHERE {where} RETURNING 1")  # noqa: S608
            yield
        finally:
            await self.query(f"INSERT INTO {table} SELECT * FROM {kept}")  # noqa: S608
            await self.query(f"DROP TABLE {kept}")

    @contextmanager
    def frozen(self, service: str) -> Iterator[None]:
        pid = self.stack["services"][service]["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


async def find_breaches(stack: Json, *, wait: float = 0, doubled_mails: int = 0) -> list[Breach]:
    """The audit's broken rules; `wait` is how many seconds it may take until all is quiet."""
    target, console = target_of(stack), Console()
    if wait:
        busy = await asyncio.to_thread(wait_until_quiet, target, console, wait)
        assert not busy
    limits = Limits.read(target, doubled_mails)
    found = await asyncio.to_thread(audit, target, console, limits)
    return [Breach(rule.rule, list(rule.breaches)) for rule in found if not rule.ok]


async def make_orders(market: Market, product: Json) -> dict[str, int]:
    """An order in each state that the audit tells apart."""
    names = ("created", "paid", "shipped", "cancelled", "refunded")
    buyers = [await market.new_customer() for _ in names]
    orders = dict(
        zip(names, [await market.place_order(b, product, 2) for b in buyers], strict=True)
    )
    buyer = dict(zip(names, buyers, strict=True))
    await market.pay(buyer["created"], orders["created"], how="fail")
    for name in ("paid", "shipped", "refunded"):
        headers = {"Idempotency-Key": f"key-{name}"}
        paid = await market.pay(buyer[name], orders[name], headers=headers)
        assert paid.status_code == 201, paid.text
    await market.dispatch(await market.wait_for_shipment(orders["shipped"], "READY_TO_SHIP"))
    await market.wait_for_order(orders["refunded"], "PAID")
    for name in ("cancelled", "refunded"):
        key = {"Idempotency-Key": f"key-{name}"}
        assert (await market.cancel(buyer[name], orders[name], **key)).status_code == 200
    await market.wait_for_payment(orders["refunded"], "REFUNDED")
    return {name: int(order["order_id"]) for name, order in orders.items()}


async def drop_mail(mailhog: str, message_id: str) -> None:
    """Take all mails with this Message-ID out of MailHog."""
    async with httpx.AsyncClient(base_url=mailhog) as http:
        found = (await http.get("/api/v2/messages?limit=250")).json()["items"]
        for item in found:
            if item["Content"]["Headers"].get("Message-ID") == [message_id]:
                await http.delete(f"/api/v1/messages/{item['ID']}")
