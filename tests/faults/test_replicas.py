"""Two copies of every service at once: nothing doubled, one takes over, a rolling restart."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import httpx
import pytest

from scripts.havoc.buyers import Traffic, go_shopping
from scripts.havoc.calls import Caller, Tally
from scripts.havoc.client import Client
from scripts.havoc.memory import Memory
from scripts.havoc.shop import Shop
from scripts.havoc.steps import Steps
from scripts.havoc.verify import find_lost
from tests.audit.tools import find_breaches
from tests.support.health import takes_part
from tests.support.waiting import eventually

from .pair import Pair

TAKEOVER = 10.0
RELAYS = ("catalog", "order", "payment", "shipping", "notifications")


@pytest.mark.timeout(240)
async def test_when_one_copy_of_each_is_killed_the_other_takes_over(pair: Pair) -> None:
    """First the ones that lead; the stack starts those again, as standbys, which then follow."""
    shop, traffic = await pair.open_shop(customers=1), Traffic()
    await eventually(lambda: _all_healthy(pair), within=60, what="two of each")
    for service in pair.info["services"].values():
        os.kill(service["pid"], signal.SIGKILL)
    await _an_order_goes_through(shop, traffic.memory)
    await eventually(lambda: _all_lead(pair), what="the second copies lead")
    await eventually(lambda: _all_healthy(pair), within=60, what="the first are back")
    for copy in pair.copies.values():
        await copy.kill()
    await _an_order_goes_through(shop, traffic.memory)
    for copy in pair.copies.values():
        await copy.start()
    await _nothing_is_broken(pair, shop, traffic)


@pytest.mark.timeout(240)
async def test_a_rolling_restart_loses_no_request_that_must_not_be_repeated(pair: Pair) -> None:
    """What has a key, or changes nothing, may be asked again; a cart add may not."""
    shop, traffic = await pair.open_shop(customers=3), Traffic()
    async with _customers(shop, traffic):
        for name in pair.copies:
            await _restart(pair, name)
    assert not traffic.tally.unrepeatable
    assert not traffic.given_up
    await _nothing_is_broken(pair, shop, traffic)


@asynccontextmanager
async def _customers(shop: Shop, traffic: Traffic) -> AsyncIterator[None]:
    """They shop for as long as the block lasts."""
    over = asyncio.Event()
    shopping = go_shopping(shop, traffic, seed=2, goes_on=lambda: not over.is_set())
    async with asyncio.TaskGroup() as group:
        group.create_task(shopping)
        yield
        over.set()


async def _restart(pair: Pair, name: str) -> None:
    """The stack's own copy, which the stack starts again; until the gateway counts on it."""
    before = pair.info["services"][name]["pid"]
    os.kill(before, signal.SIGTERM)

    async def is_back() -> bool:
        new = pair.info["services"][name]["pid"] != before
        return new and await pair.gateway.counts_on_both(name)

    await eventually(is_back, within=60, what=f"two of {name}")


async def _is_healthy(pair: Pair, url: str) -> bool:
    """And takes part in its consumer group."""
    try:
        health = await pair.health(url)
    except (httpx.TransportError, ValueError):
        return False
    return takes_part(health) and all(said == "ok" for said in health["checks"].values())


async def _all_healthy(pair: Pair) -> bool:
    firsts = [service["url"] for service in pair.info["services"].values()]
    urls = [*firsts, *(copy.url for copy in pair.copies.values())]
    return all([await _is_healthy(pair, url) for url in urls])


async def _all_lead(pair: Pair) -> bool:
    for name in RELAYS:
        health = await pair.health(pair.copies[name].url)
        if health["loops"]["relay"].get("role") != "leader":
            return False
    return True


async def _an_order_goes_through(shop: Shop, memory: Memory) -> None:
    async with aclosing(Caller(shop.target.gateway, Tally())) as caller:
        client = Client(caller, shop.customers[0], random.Random(1), longest_pause=0.1, limit=3)
        client.deadline = time.monotonic() + TAKEOVER
        steps = Steps(client, memory, shop.admin)
        await steps.fill_cart(shop.plenty[0], 1)
        purchase = await steps.check_out()
        assert purchase is not None
        await steps.pay(purchase)
        await steps.dispatch(purchase, await steps.wait_until_ready(purchase))


async def _nothing_is_broken(pair: Pair, shop: Shop, traffic: Traffic) -> None:
    assert not await find_breaches(pair.info, wait=30)
    assert not traffic.memory.broken
    assert not await find_lost(shop, traffic.memory, lambda _: None)
