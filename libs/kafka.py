"""Kafka: making sure of topics, and the one producer of a process."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import aiokafka.conn
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    UnknownTopicOrPartitionError,
    for_code,
)

from .config import DatabaseSettings
from .letter_format import dead_letter_topic, is_dead_letter_topic
from .logging import fields, get_logger

log = get_logger(__name__)

REQUEST_TIMEOUT_MS = 10_000
_CLOSE_LIMIT = 3.0
_CLIENT_TASKS = (
    *("_sync_task", "_coordination_task", "_heartbeat_task", "_commit_refresh_task"),
    *("_fetch_task", "_sender_task"),
)
_TOPIC_ALREADY_EXISTS = 36
_MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""Above the broker's usual 1 MB, so that its largest message still fits a dead-letter topic."""


class _Connection(aiokafka.conn.AIOKafkaConnection):  # type: ignore[misc]
    """Whose broker has just hung up: uvloop's transport raises RuntimeError when written to then.

    aiokafka knows OSError only (its issue 1038), and a client's task that ends of anything else
    leaves all that wait for it waiting for ever.
    """

    def send(self, request: Any, expect_response: bool = True) -> Any:
        if self._writer is not None and self._writer.is_closing():
            self.close(reason=aiokafka.conn.CloseReason.CONNECTION_BROKEN)
        return super().send(request, expect_response)


aiokafka.conn.AIOKafkaConnection = _Connection


def make_producer(settings: DatabaseSettings, service: str) -> AIOKafkaProducer:
    """A producer whose sends count only when all in-sync replicas have them."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id=service,
        acks="all",
        enable_idempotence=settings.kafka_enable_idempotence,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        max_request_size=_MAX_MESSAGE_BYTES,
        connections_max_idle_ms=60_000,
    )


async def ask_for_topics(producer: AIOKafkaProducer) -> None:
    """Have the broker look up, or make, the topics that this producer writes to.

    One that came back without its topics may take messages for them all the same (Tansu does), and
    drops those when the topics are made afterwards.
    """
    if not await producer.client.force_metadata_update():
        raise KafkaConnectionError("no broker tells of its topics")


class _Client(Protocol):
    async def stop(self) -> None: ...


def check_alive(consumer: AIOKafkaConsumer) -> None:
    """Raises KafkaError when a task of the client's own has ended: it would fetch nothing more, or
    wait for ever once it has lost its connection, and say nothing of either."""
    for task in (consumer._client._sync_task, consumer._fetcher.error_future):
        if task.done():
            raise KafkaError("a task of the Kafka client has ended")


async def close_client(client: _Client) -> None:
    """Within a limit, and whatever state its broker is in.

    A consumer that waits for its group heeds neither a close nor a cancellation, and would be a
    member that never answers, or one that takes part and takes nothing.
    """
    closing = asyncio.create_task(client.stop())
    closing.add_done_callback(_why_not_closed)  # whenever that is, its error is taken note of
    await asyncio.wait({closing}, timeout=_CLOSE_LIMIT)
    if trouble := _why_not_closed(closing):
        log.warning("a Kafka client does not close, cutting it off", extra=fields(error=trouble))
        _cut_off(client)
        await asyncio.wait({closing}, timeout=_CLOSE_LIMIT)
        closing.cancel()


def _why_not_closed(closing: asyncio.Task[None]) -> str:
    if not closing.done():
        return "no end"
    if closing.cancelled():
        return "cancelled"
    error = closing.exception()
    return type(error).__name__ if error else ""


def _cut_off(client: _Client) -> None:
    """aiokafka has no way to do so: its tasks are ended and its connections cut."""
    for name in ("_client", "client", "_coordinator", "_fetcher", "_sender"):
        part = getattr(client, name, None)
        own = (getattr(part, task, None) for task in _CLIENT_TASKS)
        for task in filter(None, [*own, *getattr(part, "_pending_tasks", ())]):
            task.cancel()
        for connection in list(getattr(part, "_conns", {}).values()):
            if connection._writer is not None:
                connection._writer.transport.abort()
            connection.close()


async def ensure_topics(settings: DatabaseSettings, topics: Iterable[str]) -> dict[str, int]:
    """Create the topics, and their dead-letter topics, that are missing; how many partitions
    each has. Raises KafkaError."""
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.kafka_bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    async with asyncio.timeout(15):
        await admin.start()
        try:
            existing = set(await admin.list_topics())
            wanted = [name for topic in topics for name in (topic, dead_letter_topic(topic))]
            missing = [name for name in wanted if name not in existing]
            if missing:
                await _create(admin, settings, missing)
            return _count_partitions(await admin.describe_topics(wanted))
        finally:
            await admin.close()


def _count_partitions(topics: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Raises KafkaError for a topic that the broker does not know just now: one that has started a
    moment ago has all of them, and whoever took it for empty would send it all events again."""
    for topic in topics:
        if topic["error_code"] or not topic["partitions"]:
            raise for_code(topic["error_code"] or UnknownTopicOrPartitionError.errno)
    return {topic["topic"]: len(topic["partitions"]) for topic in topics}


async def _create(admin: AIOKafkaAdminClient, settings: DatabaseSettings, names: list[str]) -> None:
    letters = {"max.message.bytes": str(_MAX_MESSAGE_BYTES), "retention.ms": "-1"}
    response = await admin.create_topics(
        [
            NewTopic(
                name,
                num_partitions=settings.kafka_topic_partitions,
                replication_factor=settings.kafka_replication_factor,
                topic_configs=letters if is_dead_letter_topic(name) else None,
            )
            for name in names
        ]
    )
    for _, code, *_ in response.topic_errors:
        if code not in (0, _TOPIC_ALREADY_EXISTS):
            raise for_code(code)
