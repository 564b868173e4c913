"""Several members of one consumer group, whose batches hold events of the same orders."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from libs.config import DatabaseSettings
from libs.consumer import EventConsumer, Handlers, _TransientFault
from libs.db import Database
from libs.events import Event, OrderCancelled, PaymentSucceeded
from libs.kafka import ensure_topics
from libs.outbox import Outbox
from libs.sql import fetch_all, run
from libs.unit_of_work import Transaction
from services.payment.app.models import InboxMessage, OutboxMessage
from tests.support.database import Query
from tests.support.databases import migrated_database, open_database
from tests.support.waiting import eventually

from .samples import cancelled, paid, record

TOPICS = ["order.events", "payment.events"]
_LOCKED = "SELECT id FROM locked WHERE id > %s ORDER BY id"


async def _lock_slowly(transaction: Transaction, event: Event[Any]) -> None:
    lock = "INSERT INTO locked VALUES (%s) ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id"
    await run(transaction, lock, (event.data.order_id,))
    await asyncio.sleep(0.2)


HANDLERS: Handlers = {OrderCancelled: _lock_slowly, PaymentSucceeded: _lock_slowly}


@pytest.fixture(scope="module")
async def dsn(stack: dict[str, Any], query: Query) -> str:
    return await migrated_database(stack, query, "payment")


@pytest.fixture(scope="module")
async def database(dsn: str) -> AsyncIterator[Database]:
    async with open_database(dsn, database_statement_timeout=2) as database:
        async with database.transaction() as session:
            await run(session, "CREATE TABLE locked (id bigint PRIMARY KEY)")
        yield database


@pytest.fixture(scope="module")
async def settings(stack: dict[str, Any]) -> DatabaseSettings:
    settings = DatabaseSettings(KAFKA_BOOTSTRAP=stack["kafka"], kafka_session_timeout_ms=2000)
    await ensure_topics(settings, TOPICS)
    return settings


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

    return await eventually(complete, within=30, what="a group whose members all have a share")


@asynccontextmanager
async def _group(*clients: AIOKafkaConsumer) -> AsyncIterator[list[set[TopicPartition]]]:
    async with AsyncExitStack() as opened:
        for client in clients:
            client.subscribe(TOPICS)
            opened.push_async_callback(client.stop)
            await client.start()
        yield await _shares(clients)


async def test_both_topics_of_an_order_go_to_one_member(
    settings: DatabaseSettings, database: Database
) -> None:
    """Three of them: dealt round, four partitions a topic come out even for two."""
    name = f"members-{uuid4().hex[:8]}"
    members = [_member(settings, database, name)._make_consumer() for _ in range(3)]
    async with _group(*members) as shares:
        for share in shares:
            first, second = [{tp.partition for tp in share if tp.topic == t} for t in TOPICS]
            assert first == second


async def test_a_new_replica_shares_with_one_of_before(
    settings: DatabaseSettings, database: Database
) -> None:
    name = f"members-{uuid4().hex[:8]}"
    old = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        group_id=name,
        enable_auto_commit=False,
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
    )
    async with _group(old, _member(settings, database, name)._make_consumer()) as shares:
        assert [len(share) for share in shares] == [4, 4]


async def test_batches_with_the_same_orders_the_other_way_round_do_not_lock_each_other_out(
    settings: DatabaseSettings, database: Database
) -> None:
    members = [_member(settings, database, "members") for _ in range(2)]
    cancellations = [record(cancelled(order_id), order_id) for order_id in (1, 2, 3)]
    payments = [record(paid(order_id), order_id) for order_id in (3, 2, 1)]
    await asyncio.gather(members[0]._apply(cancellations), members[1]._apply(payments))
    async with database.transaction() as session:
        locked = await fetch_all(session, "SELECT id FROM locked ORDER BY id")
        claimed = await fetch_all(session, "SELECT event_id FROM payment.inbox")
    assert [row["id"] for row in locked] == [1, 2, 3]
    assert len(claimed) == 6


async def test_an_order_whose_row_is_held_keeps_no_other_of_its_batch_waiting(
    settings: DatabaseSettings, database: Database
) -> None:
    """Its own events keep their place and their order, and take effect once it is free."""
    member = _member(settings, database, "held")
    batch = [record(event, n) for n, event in enumerate(map(cancelled, (11, 11, 12, 13)))]
    async with database.transaction() as holder:
        await run(holder, "SET LOCAL idle_in_transaction_session_timeout = 0")
        await run(holder, "INSERT INTO locked VALUES (11)")
        with pytest.raises(_TransientFault):
            await member._take(batch)
        assert await _effects(database) == [12, 13]
        await run(holder, "ROLLBACK")
    await member._take(batch)
    assert await _effects(database) == [11, 12, 13]


async def test_a_batch_that_takes_longer_than_a_transaction_may_is_taken_one_by_one(
    settings: DatabaseSettings, dsn: str, database: Database
) -> None:
    orders = [*range(41, 57)]
    async with open_database(dsn, transaction_timeout=2) as hasty:
        member = _member(settings, hasty, "slow")
        await member._take([record(cancelled(order_id), order_id) for order_id in orders])
    assert await _effects(database, above=40) == orders


async def test_a_handlers_own_error_of_the_system_is_no_fault_that_passes(
    settings: DatabaseSettings, database: Database
) -> None:
    """Such as a file that is not there: its message goes to the dead letters, and nobody waits."""

    async def fail(transaction: Transaction, event: Event[Any]) -> None:
        raise FileNotFoundError

    member = EventConsumer(
        settings,
        database,
        handlers={OrderCancelled: fail},
        outbox=Outbox("failing", OutboxMessage),
        inbox=InboxMessage,
    )
    await member._take([record(cancelled(31), 31)])
    async with database.autocommit() as reader:
        letters = await fetch_all(reader, "SELECT headers FROM payment.outbox WHERE key = '31'")
    assert [row["headers"]["reason"] for row in letters] == ["handler failed: FileNotFoundError"]


async def _effects(database: Database, *, above: int = 10) -> list[int]:
    async with database.transaction() as session:
        found = await fetch_all(session, _LOCKED, (above,))
    return [row["id"] for row in found]
