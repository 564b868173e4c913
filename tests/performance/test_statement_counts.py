"""How many statements each step of an order takes, by service, so that one more does not go unseen.

Counted are SELECT, INSERT, UPDATE and DELETE of requests and event handlers, from the beginning of
a step until nothing is on its way any more. What loops send when nothing happens is left out, and
so are the relays. Fewer is always right: events that come together share statements.
"""

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from scripts.auditing.quiet import wait_until_quiet
from scripts.console import Console
from scripts.stacks import target_of
from tests.support.market import Market
from tests.support.people import make_admin
from tests.support.waiting import eventually

from .conftest import Stand
from .statements import Statement, record

IDLE_SECONDS = 3
OF_LOOPS = re.compile(r"^DELETE FROM|created_at < ")
"""Pruning, and looking for what has waited too long: now and then."""
MOST: dict[str, dict[str, int]] = {
    "product read": {"catalog": 1},
    "cart add": {"catalog": 1},
    "checkout": {"order": 2, "catalog": 4, "shipping": 3, "notifications": 3},
    "payment": {"order": 6, "catalog": 4, "payment": 3, "shipping": 4, "notifications": 3},
    "dispatch": {"order": 3, "shipping": 3, "notifications": 3},
}


class Recorder:
    """What services send in each step, and not when they rest."""

    def __init__(self, stand: Stand, connection: psycopg.AsyncConnection) -> None:
        self._stand = stand
        self._connection = connection
        self._log = Path(stand.info["logs"]) / "postgres.log"
        self._idle: set[tuple[str, str]] = set()
        self.sent: dict[str, list[Statement]] = {}

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        async with record(self._connection, self._read) as recording:
            yield
            await _quiet(self._stand)
        self.sent[name] = [
            one
            for one in recording.sent
            if one.service in self._stand.info["services"]
            and (one.service, one.text) not in self._idle
            and not OF_LOOPS.search(one.text)
        ]

    async def rest(self) -> None:
        async with self.step("rest"):
            await asyncio.sleep(IDLE_SECONDS)
        self._idle = {(one.service, one.text) for one in self.sent.pop("rest")}

    def _read(self) -> str:
        return self._log.read_text(errors="replace")


async def _quiet(stand: Stand) -> None:
    busy = await asyncio.to_thread(wait_until_quiet, target_of(stand.info), Console(), 20)
    assert not busy


@pytest.fixture(scope="module")
async def sent(stand: Stand) -> dict[str, list[Statement]]:
    """Of a second order: the first one warms everything up."""
    key = {"X-Internal-Key": stand.info["env"]["SVC_INTERNAL_KEY"]}
    dsn = stand.info["postgres_dsn"].replace("+psycopg", "")
    async with (
        await psycopg.AsyncConnection.connect(
            dsn, autocommit=True, application_name="counts"
        ) as connection,
        httpx.AsyncClient(base_url=stand.info["gateway"], timeout=30) as api,
    ):
        market, recorder = Market(await make_admin(api, key), key), Recorder(stand, connection)
        await _one_order(market, recorder)
        await recorder.rest()
        await _one_order(market, recorder)
    return recorder.sent


async def _one_order(market: Market, recorder: Recorder) -> None:
    buyer, product = await market.new_customer(), await market.make_product(stock=5)
    async with recorder.step("product read"):
        await market.api.get(f"/catalog/v1/products/{product['id']}")
    async with recorder.step("cart add"):
        await market.add_to_cart(buyer, product)
    async with recorder.step("checkout"):
        order = (await market.checkout(buyer)).json()
    async with recorder.step("payment"):
        assert (await market.pay(buyer, order)).status_code == 201
    shipment = await market.wait_for_shipment(order, "READY_TO_SHIP")
    async with recorder.step("dispatch"):
        assert (await market.dispatch(shipment)).status_code == 200


@pytest.mark.parametrize("step", MOST)
async def test_a_step_takes_no_more_statements_than_it_did(
    sent: dict[str, list[Statement]], step: str
) -> None:
    once = set(sent[step])  # a call may be tried again on a busy machine
    found = Counter(statement.service for statement in once)
    more = {name: number for name, number in found.items() if number > MOST[step].get(name, 0)}
    assert not more, "\n".join(map(str, sent[step]))
    assert sum(found.values()) >= sum(MOST[step].values()) / 2, "nothing was counted"


async def _all_published(connection: psycopg.AsyncConnection) -> bool:
    waiting = "SELECT FROM payment.outbox WHERE published_at IS NULL"
    return not await (await connection.execute(waiting)).fetchall()


async def test_events_that_come_together_share_their_statements(stand: Stand) -> None:
    """Shipping is held up while eight orders are paid: it locks, changes and tells of all at once,
    or of the few it had read before and then of the others."""
    key = {"X-Internal-Key": stand.info["env"]["SVC_INTERNAL_KEY"]}
    pid = stand.pid("shipping")
    dsn = stand.info["postgres_dsn"].replace("+psycopg", "")
    log = Path(stand.info["logs"]) / "postgres.log"
    async with (
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection,
        httpx.AsyncClient(base_url=stand.info["gateway"], timeout=30) as api,
    ):
        market = Market(await make_admin(api, key), key)
        product = await market.make_product(stock=8)
        buyers = [await market.new_customer() for _ in range(8)]
        orders = [await market.place_order(buyer, product) for buyer in buyers]
        await _quiet(stand)
        async with record(connection, lambda: log.read_text(errors="replace")) as recording:
            os.kill(pid, signal.SIGSTOP)
            try:
                pairs = zip(buyers, orders, strict=True)
                answers = await asyncio.gather(*(market.pay(*pair) for pair in pairs))
                assert {answer.status_code for answer in answers} == {201}
                await eventually(lambda: _all_published(connection), what="eight payments told")
            finally:
                os.kill(pid, signal.SIGCONT)
            for order in orders:
                await market.wait_for_shipment(order, "READY_TO_SHIP")
    sent = [" ".join(one.text.split()) for one in recording.sent if one.service == "shipping"]
    claims, locks = 'INSERT INTO "shipping"."inbox"', "INSERT INTO shipping.shipments"
    for kind in (claims, locks, 'UPDATE "shipping"."shipments"'):
        assert 1 <= sum(text.startswith(kind) for text in sent) <= 3, sent
