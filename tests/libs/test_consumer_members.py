"""Several members of one consumer group, whose batches hold events of the same orders."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from sqlalchemy.ext.asyncio import AsyncSession

from libs.config import DatabaseSettings
from libs.consumer import EventConsumer, Handlers
from libs.db import Database
from libs.events import Event, EventData, OrderCancelled, PaymentSucceeded, encode
from libs.kafka import ensure_topics
from libs.outbox import Outbox
from libs.sql import run
from services.payment.app.models import InboxMessage, OutboxMessage
from tests.support.database import Query
from tests.support.databases import alembic, create_database
from tests.support.waiting import eventually

TOPICS = ["order.events", "payment.events"]


async def _lock_slowly(session: AsyncSession, event: Event[Any]) -> None:
    lock = "INSERT INTO locked VALUES (%s) ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id"
    await run(session, lock, (event.data.order_id,))
    await asyncio.sleep(0.2)


HANDLERS: Handlers = {OrderCancelled: _lock_slowly, PaymentSucceeded: _lock_slowly}


@pytest.fixture(scope="module")
async def database(stack: dict[str, Any], query: Query) -> AsyncIterator[Database]:
    dsn = await create_database(stack, query)
    assert (await alembic(dsn, "payment", "upgrade", "head"))[0] == 0
    database = Database(_settings(stack, dsn), "test")
    yield database
    await database.close()


def _settings(stack: dict[str, Any], dsn: str) -> DatabaseSettings:
    return DatabaseSettings(
        postgres_dsn=dsn.replace("postgresql://", "postgresql+psycopg://"),
        KAFKA_BOOTSTRAP=stack["kafka"],
    )


def _member(settings: DatabaseSettings, database: Database, group: str) -> EventConsumer:
    return EventConsumer(
        settings,
        database,
        handlers=HANDLERS,
        outbox=Outbox(group, OutboxMessage),
        inbox=InboxMessage,
    )


async def _shares(clients: Sequence[AIOKafkaConsumer]) -> list[set[TopicPartition]]:
    """What each member has, once all partitions are theirs."""

    async def complete() -> list[set[TopicPartition]] | None:
        await asyncio.gather(*(client.getmany(timeout_ms=100) for client in clients))
        shares = [set(client.assignment()) for client in clients]
        done = all(shares) and sum(map(len, shares)) == len(set().union(*shares)) == 8
        return shares if done else None

    return await eventually(complete, within=30, what="a group of two")


@asynccontextmanager
async def _group(*clients: AIOKafkaConsumer) -> AsyncIterator[list[set[TopicPartition]]]:
    async with AsyncExitStack() as opened:
        for client in clients:
            client.subscribe(TOPICS)
            opened.push_async_callback(client.stop)
            await client.start()
        yield await _shares(clients)


async def test_both_topics_of_an_order_go_to_one_member(
    stack: dict[str, Any], database: Database
) -> None:
    settings = _settings(stack, stack["postgres_dsn"])
    await ensure_topics(settings, TOPICS)
    name = f"members-{uuid4().hex[:8]}"
    async with _group(
        *(_member(settings, database, name)._make_consumer() for _ in "12")
    ) as shares:
        for share in shares:
            first, second = [{tp.partition for tp in share if tp.topic == t} for t in TOPICS]
            assert first == second


async def test_a_new_replica_shares_with_one_of_before(
    stack: dict[str, Any], database: Database
) -> None:
    settings = _settings(stack, stack["postgres_dsn"])
    await ensure_topics(settings, TOPICS)
    name = f"members-{uuid4().hex[:8]}"
    old = AIOKafkaConsumer(
        bootstrap_servers=stack["kafka"],
        group_id=name,
        enable_auto_commit=False,
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
    )
    async with _group(old, _member(settings, database, name)._make_consumer()) as shares:
        assert all(shares)


async def test_batches_with_the_same_orders_the_other_way_round_do_not_lock_each_other_out(
    stack: dict[str, Any], database: Database
) -> None:
    async with database.transaction() as session:
        await run(session, "CREATE TABLE locked (id bigint PRIMARY KEY)")
    settings = _settings(stack, stack["postgres_dsn"])
    members = [_member(settings, database, "members") for _ in range(2)]
    cancelled = [_record(_cancelled(order_id), order_id) for order_id in (1, 2, 3)]
    paid = [_record(_paid(order_id), order_id) for order_id in (3, 2, 1)]
    await asyncio.gather(members[0]._apply(cancelled), members[1]._apply(paid))


def _cancelled(order_id: int) -> EventData:
    return OrderCancelled(
        order_id=order_id,
        user_id=1,
        email="ann@example.com",
        reservation_id=uuid4(),
        items=[],
        reason="x",
    )


def _paid(order_id: int) -> EventData:
    return PaymentSucceeded(
        order_id=order_id,
        user_id=1,
        email="ann@example.com",
        payment_id=1,
        amount_cents=1,
        currency="USD",
    )


def _record(data: EventData, offset: int) -> ConsumerRecord:
    value = encode(data, service="test")[1]
    return ConsumerRecord(
        topic=data.topic,
        partition=0,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=b"1",
        value=value,
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=len(value),
        headers=(),
    )
