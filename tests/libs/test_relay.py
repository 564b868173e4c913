"""The outbox relay: order, one leader, takeover, and a broker that forgets."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx

from scripts.localstack import LocalStack
from tests.audit.tools import find_breaches
from tests.support.database import Query, make_query
from tests.support.databases import migrated_database
from tests.support.kafka import EventLog
from tests.support.market import Market
from tests.support.people import make_admin, make_customer
from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

Json = dict[str, Any]


async def _pay_at(url: str, market: Market, product: Json) -> Json:
    buyer = await market.new_customer()
    order = await market.place_order(buyer, product)
    answer = await market.pay(buyer, order, at=url)
    assert answer.status_code == 201, answer.text
    return order


async def test_events_of_one_order_stay_in_their_order(
    market: Market, events: EventLog, query: Query
) -> None:
    buyers = await asyncio.gather(*(market.new_customer() for _ in range(6)))
    product = await market.make_product()
    orders = await asyncio.gather(*(market.place_order(b, product) for b in buyers))
    await asyncio.gather(*(market.pay(b, o) for b, o in zip(buyers, orders, strict=True)))
    await asyncio.gather(*(market.wait_for_order(o, "PAID") for o in orders))
    await asyncio.gather(*(market.cancel(b, o) for b, o in zip(buyers, orders, strict=True)))
    for order in orders:
        await events.wait_for(order["order_id"], "order.cancelled")
        types = [e["type"] for e in await events.of_order(order["order_id"])]
        of_order = [name for name in types if name.startswith("order.")]
        assert of_order == ["order.created", "order.paid", "order.cancelled"]


async def test_a_commit_at_a_standby_wakes_the_leader_and_nothing_is_published_twice(
    market: Market, stack: Json, events: EventLog, product: Json
) -> None:
    async with ServiceProcess("payment", stack["env"]) as copy:
        for _ in range(3):
            order = await _pay_at(copy.url, market, product)
            await events.only(order["order_id"], "payment.succeeded")


async def test_when_the_leaders_session_ends_another_takes_over(
    market: Market, stack: Json, events: EventLog, query: Query, product: Json
) -> None:
    sessions = """FROM pg_stat_activity
                  WHERE application_name = 'payment-relay' AND datname = current_database()"""
    async with ServiceProcess("payment", stack["env"]) as copy:

        async def two() -> bool:
            return await query(f"SELECT count(*) {sessions}") == [(2,)]

        await eventually(two, what="a leader and a standby")
        assert len(await query(f"SELECT pg_terminate_backend(pid) {sessions}")) == 2
        order = await _pay_at(copy.url, market, product)
        await events.wait_for(order["order_id"], "payment.succeeded")
    other = await _pay_at(stack["services"]["payment"]["url"], market, product)
    await events.wait_for(other["order_id"], "payment.succeeded")


async def test_when_the_leaders_process_is_killed_another_takes_over(
    market: Market, stack: Json, events: EventLog, query: Query, product: Json
) -> None:
    dsn = await migrated_database(stack, query, "payment")
    env = {**stack["env"], "POSTGRES_DSN": dsn}
    async with ServiceProcess("payment", env) as first:
        await eventually(lambda: _leads(market, first), what="the first leads")
        async with ServiceProcess("payment", env) as second:
            assert not await _leads(market, second)
            assert first.process is not None
            first.process.kill()
            order = await _pay_at(second.url, market, product)
            await events.wait_for(order["order_id"], "payment.succeeded")
            await eventually(lambda: _leads(market, second), what="the second leads")


async def _leads(market: Market, copy: ServiceProcess) -> bool:
    health = (await market.api.get(f"{copy.url}/health")).json()
    return bool(health["loops"]["relay"].get("role") == "leader")


async def test_a_broker_that_forgets_is_told_again(tmp_path: Path) -> None:
    """The local broker keeps its topics in memory: killed, it comes back with nothing."""
    stack = LocalStack(tmp_path, port_base=19500, quiet=True)
    await asyncio.to_thread(stack.start)
    try:
        await _forget_and_go_on(dict(stack.info))
    finally:
        await asyncio.to_thread(stack.stop)


async def _forget_and_go_on(stack: Json) -> None:
    key = {"X-Internal-Key": stack["env"]["SVC_INTERNAL_KEY"]}
    query = make_query(stack["postgres_dsn"])
    async with httpx.AsyncClient(base_url=stack["gateway"], timeout=30) as api:
        market = Market(await make_admin(api, key), key)
        buyer = await make_customer(api)
        product = await market.make_product(stock=10)
        before = await market.place_order(buyer, product)
        await market.pay(buyer, before)
        await market.wait_for_order(before, "PAID")
        await market.wait_for_stock(product, 9, 0)
        os.kill(stack["servers"]["kafka"]["pid"], signal.SIGKILL)
        during = await market.place_order(buyer, product)
        await market.pay(buyer, during)
        await market.wait_for_order(during, "PAID", within=20)
        await market.wait_for_stock(product, 8, 0, within=20)
        await _topics_are_whole(stack, query)
        assert not await find_breaches(stack, wait=20)  # what came again has been taken
        assert await market.stock(product) == (8, 0)


async def _topics_are_whole(stack: Json, query: Query) -> None:
    """All that the outboxes hold is in the topics again."""

    async def whole() -> bool:
        rows = [
            value
            for schema in ("order", "payment", "shipping")
            for (value,) in await query(f'SELECT value FROM "{schema}".outbox')  # noqa: S608
        ]
        # Read anew each time: a topic that is being made again loses its reader's place.
        async with EventLog(stack["kafka"]) as log:
            try:
                there = {record.value for record in await log.read(within=3)}
            except AssertionError:
                return False
        return bool(rows) and all(bytes(value) in there for value in rows)

    await eventually(whole, within=20, what="topics with all events")


async def test_a_message_larger_than_the_broker_takes_stands_in_nobodys_way(
    market: Market, stack: Json, events: EventLog, query: Query, product: Json
) -> None:
    dsn = await migrated_database(stack, query, "payment")
    own = make_query(dsn)
    insert = """INSERT INTO payment.outbox (event_id, type, topic, key, value)
                VALUES (gen_random_uuid(), 'dead-letter', 'payment.events.dlq', NULL, %s)"""
    await own(insert, b"x" * (4 * 1024 * 1024 + 1000))
    async with ServiceProcess("payment", {**stack["env"], "POSTGRES_DSN": dsn}) as copy:
        order = await _pay_at(copy.url, market, product)
        await events.wait_for(order["order_id"], "payment.succeeded")
        refused = "SELECT published_at, refused FROM payment.outbox WHERE refused IS NOT NULL"
        rows = await eventually(lambda: own(refused), what="a row that says why")
        assert rows == [(None, "larger than the broker takes")]
        health = (await market.api.get(f"{copy.url}/health")).json()
        assert health["checks"]["loop relay"] == "ok"
