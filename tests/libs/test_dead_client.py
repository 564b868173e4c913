"""A Kafka client whose own tasks have ended, or wait for ever: whoever uses it takes a new one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import psutil
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from libs.config import DatabaseSettings
from libs.consumer import EventConsumer
from libs.consumer_place import Membership
from libs.db import Database
from libs.events import OrderCreated
from libs.kafka import close_client, ensure_topics
from libs.loops import Loop
from libs.outbox import Outbox
from libs.outbox_rows import OutboxRows
from libs.topic_watch import TopicWatch
from scripts.topics.groups import read_committed
from services.payment.app.models import InboxMessage, OutboxMessage
from tests.support.kafka import Publisher
from tests.support.waiting import eventually

from .own_broker import OwnBroker
from .samples import cancelled

FETCH = (Fetcher, "_proc_fetch_request")
METADATA = (AIOKafkaClient, "_metadata_update")


@pytest.fixture
async def broker() -> AsyncIterator[OwnBroker]:
    async with OwnBroker() as broker:
        await broker.up()
        yield broker


def _settings(broker: OwnBroker) -> DatabaseSettings:
    return DatabaseSettings(kafka_bootstrap=broker.address, kafka_session_timeout_ms=1000)


@contextmanager
def _raising(place: tuple[type, str], broker: OwnBroker) -> Iterator[Callable[[], Awaitable[bool]]]:
    """What aiokafka expects nowhere, once, in a client of this broker; gives whether that has come
    to pass."""
    owner, name = place
    real = getattr(owner, name)
    raised = asyncio.Event()

    async def fail_once(part: Any, *args: Any, **options: Any) -> Any:
        network = getattr(part, "_client", part)
        if raised.is_set() or network._bootstrap_servers != broker.address:
            return await real(part, *args, **options)
        raised.set()
        raise RuntimeError("unexpected")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, fail_once)
        yield lambda: asyncio.wait_for(raised.wait(), 10)


async def _pass_over(*_: object) -> None:
    """A handler of events that nobody sends here."""


@asynccontextmanager
async def _consuming(broker: OwnBroker) -> AsyncIterator[Loop]:
    settings = _settings(broker)
    consumer = EventConsumer(
        settings,
        Database(settings, "payment"),
        handlers={OrderCreated: _pass_over},
        outbox=Outbox("payment", OutboxMessage),
        inbox=InboxMessage,
    )
    loop = Loop("consumer", consumer.run)
    loop.start()
    try:

        async def takes_part() -> bool:
            return bool(loop.facts().get("partitions"))

        await eventually(takes_part, within=30)
        yield loop
    finally:
        await loop.stop(10)


async def _consumes(broker: OwnBroker) -> None:
    """It passes over an event that is not for it, and says that it has."""
    async with Publisher(broker.address) as publish:
        await publish.event(cancelled(1))

    async def passed() -> bool:
        return sum((await read_committed(broker.address))["payment"].values()) > 0

    await eventually(passed, within=20, what="an event passed")


async def _gives_its_client_up(loop: Loop) -> None:
    async def failing() -> bool:
        return loop.check().startswith("failing")

    await eventually(failing, within=60, what="a consumer that gives its client up")


async def test_a_consumer_whose_client_fetches_no_more_takes_a_new_one(broker: OwnBroker) -> None:
    async with _consuming(broker):
        with _raising(FETCH, broker) as raised:
            await raised()
        await _consumes(broker)


async def test_a_consumer_whose_client_looks_for_no_broker_any_more_takes_a_new_one(
    broker: OwnBroker,
) -> None:
    async with _consuming(broker) as loop:
        with _raising(METADATA, broker) as raised:
            await broker.kill()
            await raised()
        await _gives_its_client_up(loop)
        await broker.up()
        await _consumes(broker)


async def test_a_consumer_whose_group_never_ends_its_rebalance_joins_anew(
    broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _consuming(broker) as loop:

        async def freeze(*_: object) -> None:
            broker.freeze()

        monkeypatch.setattr(Membership, "on_partitions_revoked", freeze)
        other = AIOKafkaConsumer(
            "order.events",
            bootstrap_servers=broker.address,
            group_id="payment",
            partition_assignment_strategy=[RangePartitionAssignor],
        )
        joining = asyncio.create_task(other.start())
        try:
            await _gives_its_client_up(loop)
        finally:
            monkeypatch.undo()
            broker.thaw()
            await joining
            await close_client(other)
        await _consumes(broker)


class AllOurs:
    """Outbox rows for whatever is in the topics."""

    async def holds(self, record: object) -> bool:
        return True


async def test_a_relay_takes_a_client_that_fetches_no_more_for_no_loss(broker: OwnBroker) -> None:
    settings = _settings(broker)
    await ensure_topics(settings, ["payment.events"])
    async with Publisher(broker.address) as publish:
        sent = await publish.raw("payment.events", b"{}", key=b"1")

    watch = TopicWatch(settings, cast("OutboxRows", AllOurs()))
    await watch.start()
    try:
        with _raising(FETCH, broker), pytest.raises(KafkaError, match="has ended"):
            await watch.find_lost({("payment.events", sent.partition): sent.offset})
    finally:
        await watch.stop()


async def test_nothing_is_left_of_a_client_that_does_not_close(broker: OwnBroker) -> None:
    """Else it would be a member of its group still, that takes nothing."""
    client = AIOKafkaConsumer(
        "order.events",
        bootstrap_servers=broker.address,
        group_id="payment",
        session_timeout_ms=6000,
    )
    await ensure_topics(_settings(broker), ["order.events"])
    await client.start()
    with _raising(METADATA, broker) as raised:
        await broker.kill()
        await raised()
        await broker.up()
    await close_client(client)

    async def gone() -> bool:
        return not _tasks_of(client) and not _connections_to(broker)

    await eventually(gone, what="no task and no connection left")


def _tasks_of(client: AIOKafkaConsumer) -> list[object]:
    """Those that run a method of one of its parts."""
    parts = (client, client._client, client._coordinator, client._fetcher)
    frames = [(task, getattr(task.get_coro(), "cr_frame", None)) for task in asyncio.all_tasks()]
    return [
        task
        for task, frame in frames
        if frame and any(frame.f_locals.get("self") is part for part in parts)
    ]


def _connections_to(broker: OwnBroker) -> list[object]:
    return [
        c for c in psutil.Process().net_connections("tcp") if c.raddr and c.raddr[1] == broker.port
    ]
