"""A topic that is deleted and made again, under the hands of a service."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.database import Query, make_query
from tests.support.databases import alembic, create_database
from tests.support.kafka import EventLog, Publisher
from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

from .own_broker import OwnBroker, cancelled

Json = dict[str, Any]
RECOVERY = 8


@pytest.fixture
async def own_env(stack: Json, query: Query) -> AsyncIterator[Json]:
    """Payment's, with a database and a broker of its own."""
    dsn = await create_database(stack, query)
    assert (await alembic(dsn, "payment", "upgrade", "head"))[0] == 0
    async with OwnBroker() as broker:
        await broker.up()
        yield {**stack["env"], "POSTGRES_DSN": dsn, "KAFKA_BOOTSTRAP": broker.address}


async def test_events_of_a_topic_that_is_made_again_are_taken_and_those_it_had_are_back(
    own_env: Json,
) -> None:
    async with ServiceProcess("payment", own_env):
        await _taken(own_env, await _publish(own_env, 40))
        ours = await _commit_an_event(own_env)
        await _in_topic(own_env, ours)
        await _make_again(own_env["KAFKA_BOOTSTRAP"], "order.events", "payment.events")
        await _taken(own_env, await _publish(own_env, 3))
        await _in_topic(own_env, ours)


async def _publish(env: Json, number: int) -> list[UUID]:
    async with Publisher(env["KAFKA_BOOTSTRAP"]) as publish:
        return [await publish.event(cancelled(order_id)) for order_id in range(number)]


async def _taken(env: Json, ids: Sequence[UUID]) -> None:
    claimed = "SELECT 1 FROM payment.inbox WHERE event_id = ANY(%s)"

    async def all_of_them() -> bool:
        return len(await make_query(env["POSTGRES_DSN"])(claimed, list(ids))) == len(ids)

    await eventually(all_of_them, within=RECOVERY, what="all events taken")


async def _commit_an_event(env: Json) -> bytes:
    key = uuid4().hex.encode()
    insert = """INSERT INTO payment.outbox (event_id, type, topic, key, value)
                VALUES (gen_random_uuid(), 'payment.succeeded', 'payment.events', %s, '{}')"""
    await make_query(env["POSTGRES_DSN"])(insert, key)
    return key


async def _in_topic(env: Json, key: bytes) -> None:
    async def there() -> bool:
        async with EventLog(env["KAFKA_BOOTSTRAP"]) as log:
            return any(record.key == key for record in await log.read())

    await eventually(there, within=RECOVERY, what="our event in its topic")


async def _make_again(bootstrap: str, *topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(list(topics))
        await admin.create_topics([NewTopic(topic, 4, 1) for topic in topics])
    finally:
        await admin.close()
