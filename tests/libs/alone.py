"""Payment alone: a database and a broker of its own, and much to forget."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.database import Query, make_query
from tests.support.databases import migrated_database
from tests.support.kafka import EventLog
from tests.support.processes import ServiceProcess

from .own_broker import OwnBroker

Json = dict[str, Any]
POLL = 30
"""Seconds between two looks of the relay that nobody has asked for."""
MUCH = 6000
"""More than one batch of the pruner."""

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
        await self.query(_EVENT, key)
        await self.wake()

    async def wake(self) -> None:
        """As another replica does that has committed something."""
        await self.query("NOTIFY outbox_payment")

    async def has(self, key: bytes) -> bool:
        """Whether a message with this key is in a topic."""
        async with EventLog(self.broker.address) as log:
            return any(record.key == key for record in await log.read(within=30))


@asynccontextmanager
async def payment_alone(stack: Json, query: Query) -> AsyncIterator[Alone]:
    """Just come up."""
    dsn = await migrated_database(stack, query, "payment")
    await _add_what_is_old(make_query(dsn))
    async with OwnBroker() as broker:
        await broker.up()
        own = {"POSTGRES_DSN": dsn, "KAFKA_BOOTSTRAP": broker.address}
        env = {**stack["env"], **own, "OUTBOX_POLL_INTERVAL": str(POLL)}
        async with ServiceProcess("payment", env) as copy:
            yield Alone(broker, make_query(dsn), copy)


async def _add_what_is_old(query: Query) -> None:
    await query(_OLD_ROWS, "old: to go", "8 days", None, MUCH)
    await query(_OLD_ROWS, "old: young enough", "6 days", None, 1)
    await query(_OLD_ROWS, "old: never published", None, "too large", 1)
    await query(_OLD_IDS, "15 days", MUCH)
    await query(_OLD_IDS, "13 days", 2)
    await query(_OLD_KEYS, "to go", "25 hours", MUCH)
    await query(_OLD_KEYS, "young enough", "23 hours", 1)
