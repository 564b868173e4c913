"""Reads topics from their beginning to their end, without a consumer group."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ..stacks import HOW_TO_START_ONE, StackAway

REQUEST_MS = 10_000
_START_LIMIT = 15.0
_POLL_MS = 200
_PATIENCE = 1.0
"""How long the end of a partition may be silent before what should be there counts as lost."""


class _Client(Protocol):
    async def start(self) -> None: ...


async def start_client(client: _Client, bootstrap: str) -> None:
    """Raises StackAway, which says what the client's own log lines would."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        async with asyncio.timeout(_START_LIMIT):
            await client.start()
    except (KafkaError, OSError, TimeoutError) as error:
        raise broker_away(bootstrap, error) from None


def broker_away(bootstrap: str, error: Exception) -> StackAway:
    why = type(error).__name__
    return StackAway(f"Kafka at {bootstrap} does not answer ({why}); {HOW_TO_START_ONE}")


@asynccontextmanager
async def admin_client(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Raises StackAway."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_MS)
    try:
        await start_client(admin, bootstrap)
        yield admin
    except (KafkaError, TimeoutError) as error:
        raise broker_away(bootstrap, error) from None
    finally:
        await admin.close()


async def find_partitions(bootstrap: str, topics: Iterable[str]) -> list[TopicPartition]:
    async with admin_client(bootstrap) as admin:
        return await list_partitions(admin, topics)


async def list_partitions(
    admin: AIOKafkaAdminClient, topics: Iterable[str]
) -> list[TopicPartition]:
    """Those of the topics that exist; asking for others might make them."""
    wanted = sorted(set(await admin.list_topics()).intersection(topics))
    described = await admin.describe_topics(wanted) if wanted else []
    return [
        TopicPartition(topic["topic"], number)
        for topic in described
        for number in sorted(int(entry["partition"]) for entry in topic["partitions"])
    ]


@asynccontextmanager
async def plain_consumer(
    bootstrap: str, partitions: Iterable[TopicPartition]
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of these partitions that belongs to no group. Raises StackAway."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=REQUEST_MS,
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        await start_client(consumer, bootstrap)
        consumer.assign(list(partitions))
        yield consumer
    except (KafkaError, TimeoutError) as error:
        raise broker_away(bootstrap, error) from None
    finally:
        await consumer.stop()


async def read_beginnings(
    bootstrap: str, partitions: list[TopicPartition]
) -> dict[tuple[str, int], int]:
    """The first offset that each partition still keeps."""
    async with plain_consumer(bootstrap, partitions) as consumer:
        begins = await consumer.beginning_offsets(partitions)
    return {(p.topic, p.partition): offset for p, offset in begins.items()}


async def read_to_end(
    bootstrap: str,
    partitions: list[TopicPartition],
    highest: Mapping[TopicPartition, int] | None = None,
) -> AsyncIterator[ConsumerRecord]:
    """Everything that is there now. `highest` are offsets that should be there: a broker may
    count its last batch as one message (Tansu does), so its word alone is not the end."""
    if not partitions:
        return
    async with plain_consumer(bootstrap, partitions) as consumer:
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            batches = await consumer.getmany(timeout_ms=_POLL_MS)
            for batch in batches.values():
                for record in batch:
                    yield record
            behind = [await consumer.position(p) - ends[p] for p in partitions]
            short = [await consumer.position(p) - h - 1 for p, h in (highest or {}).items()]
            if min(behind) >= 0 and (not short or min(short) >= 0):
                return
            if batches:
                heard = loop.time()
            elif loop.time() - heard > (_PATIENCE if min(behind) >= 0 else REQUEST_MS / 1000):
                return
