"""Payment alone: a database and a broker of its own, much to publish and much to forget."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.database import Query, make_query
from tests.support.databases import alembic, create_database
from tests.support.kafka import EventLog
from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

from .own_broker import OwnBroker

Json = dict[str, Any]
POLL = 30
"""Seconds between two looks of the relay that nobody has asked for."""
WAITING, ORDERS = 30_000, 500
"""The relay takes 500 at a time, however many wait: 100,000 took 7 s and the same 2 MB."""
MUCH = 6000
"""More than one batch of the pruner."""

_WAITING_ROWS = """
INSERT INTO payment.outbox (event_id, type, topic, key, value)
SELECT gen_random_uuid(), 'payment.succeeded', 'payment.events', mod(n, %s)::text::bytea,
       (n || repeat(' ', 300))::bytea FROM generate_series(1, %s) AS n"""
_EVENT = """
INSERT INTO payment.outbox (event_id, type, topic, key, value)
VALUES (gen_random_uuid(), 'payment.succeeded', 'payment.events', %s, '0')"""
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


@dataclass
class Alone:
    broker: OwnBroker
    query: Query
    copy: ServiceProcess

    async def commit_an_event(self, key: bytes) -> None:
        """As another replica does, which wakes the relay of this one."""
        await self.query(_EVENT, key)
        await self.query("NOTIFY outbox_payment")

    async def in_topic(self, key: bytes, *, within: float = 8) -> None:
        """Once a message with this key is in a topic."""

        async def there() -> bool:
            async with EventLog(self.broker.address) as log:
                return any(record.key == key for record in await log.read())

        await eventually(there, within=within, what="our event in its topic")


@asynccontextmanager
async def payment_alone(stack: Json, query: Query) -> AsyncIterator[Alone]:
    """Just come up."""
    dsn = await create_database(stack, query)
    assert (await alembic(dsn, "payment", "upgrade", "head"))[0] == 0
    await _fill(make_query(dsn))
    async with OwnBroker() as broker:
        await broker.up()
        own = {"POSTGRES_DSN": dsn, "KAFKA_BOOTSTRAP": broker.address}
        env = {**stack["env"], **own, "OUTBOX_POLL_INTERVAL": str(POLL)}
        async with ServiceProcess("payment", env) as copy:
            yield Alone(broker, make_query(dsn), copy)


async def _fill(query: Query) -> None:
    await query(_WAITING_ROWS, ORDERS, WAITING)
    await query(_OLD_ROWS, "old: to go", "8 days", None, MUCH)
    await query(_OLD_ROWS, "old: young enough", "6 days", None, 1)
    await query(_OLD_ROWS, "old: never published", None, "too large", 1)
    await query(_OLD_IDS, "15 days", MUCH)
    await query(_OLD_IDS, "13 days", 2)
    await query(_OLD_KEYS, "to go", "25 hours", MUCH)
    await query(_OLD_KEYS, "young enough", "23 hours", 1)
