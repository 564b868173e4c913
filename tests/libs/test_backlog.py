"""A service that comes up with much to publish and much to forget."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from tests.support.database import Query, make_query
from tests.support.databases import alembic, create_database
from tests.support.kafka import EventLog
from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

from .own_broker import OwnBroker

Json = dict[str, Any]
WAITING, ORDERS = 30_000, 500
"""The relay takes 500 at a time, however many wait: 100,000 took 7 s and the same 2 MB."""
MUCH = 6000
"""More than one batch of the pruner."""
MEGABYTE = 2**20

_WAITING_ROWS = """
INSERT INTO payment.outbox (event_id, type, topic, key, value)
SELECT gen_random_uuid(), 'payment.succeeded', 'payment.events', mod(n, %s)::text::bytea,
       (n || repeat(' ', 300))::bytea FROM generate_series(1, %s) AS n"""
_OLD_ROWS = """
INSERT INTO payment.outbox (event_id, type, topic, key, value, created_at, published_at, refused)
SELECT gen_random_uuid(), %s, 'payment.events', '', '', now() - interval '30 days',
       now() - %s::interval, %s FROM generate_series(1, %s)"""
_OLD_IDS = """
INSERT INTO payment.inbox (event_id, received_at)
SELECT gen_random_uuid(), now() - %s::interval FROM generate_series(1, %s)"""
_OLD_KEYS = """
INSERT INTO payment.idempotency_keys (user_id, route, key, request_hash, created_at)
SELECT 1, %s, n::text, '', now() - %s::interval FROM generate_series(1, %s) AS n"""
_LEFT = """
SELECT (SELECT array_agg(type ORDER BY type) FROM payment.outbox WHERE type LIKE 'old%%'),
       (SELECT count(*) FROM payment.inbox),
       (SELECT array_agg(DISTINCT route) FROM payment.idempotency_keys)"""


@dataclass
class Backlog:
    broker: OwnBroker
    query: Query
    copy: ServiceProcess


@pytest.fixture(scope="module")
async def backlog(stack: Json, query: Query) -> AsyncIterator[Backlog]:
    """Payment's, with a database and a broker of its own, just come up."""
    dsn = await create_database(stack, query)
    assert (await alembic(dsn, "payment", "upgrade", "head"))[0] == 0
    await _fill(make_query(dsn))
    async with OwnBroker() as broker:
        await broker.up()
        env = {**stack["env"], "POSTGRES_DSN": dsn, "KAFKA_BOOTSTRAP": broker.address}
        async with ServiceProcess("payment", env) as copy:
            yield Backlog(broker, make_query(dsn), copy)


async def _fill(query: Query) -> None:
    await query(_WAITING_ROWS, ORDERS, WAITING)
    await query(_OLD_ROWS, "old: to go", "8 days", None, MUCH)
    await query(_OLD_ROWS, "old: young enough", "6 days", None, 1)
    await query(_OLD_ROWS, "old: never published", None, "too large", 1)
    await query(_OLD_IDS, "15 days", MUCH)
    await query(_OLD_IDS, "13 days", 2)
    await query(_OLD_KEYS, "to go", "25 hours", MUCH)
    await query(_OLD_KEYS, "young enough", "23 hours", 1)


async def test_a_full_outbox_drains_in_order_and_in_little_memory(backlog: Backlog) -> None:
    assert backlog.copy.process
    memory = psutil.Process(backlog.copy.process.pid).memory_info
    used = [memory().rss]

    async def drained() -> bool:
        used.append(memory().rss)
        waiting = "SELECT 1 FROM payment.outbox WHERE published_at IS NULL AND refused IS NULL"
        return not await backlog.query(f"{waiting} LIMIT 1")

    await eventually(drained, within=60, what="an outbox that is drained")
    assert max(used) - used[0] < 32 * MEGABYTE
    by_order: dict[bytes | None, list[int]] = {}
    async with EventLog(backlog.broker.address) as log:
        for record in await log.read():
            by_order.setdefault(record.key, []).append(int(record.value or 0))
    assert sorted(n for numbers in by_order.values() for n in numbers) == [*range(1, WAITING + 1)]
    assert all(numbers == sorted(numbers) for numbers in by_order.values())


async def test_what_is_older_than_its_retention_goes_and_nothing_else(backlog: Backlog) -> None:
    """Published events after 7 days, claimed ids after 14, idempotency keys after one."""
    kept = (["old: never published", "old: young enough"], 2, ["young enough"])

    async def only_those() -> bool:
        return await backlog.query(_LEFT) == [kept]

    await eventually(only_those, what="tables without what is old")
