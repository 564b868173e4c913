"""Where a consumer is in its partitions."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from .logging import fields, get_logger

log = get_logger(__name__)

_COMMIT_LIMIT = 10.0


def rewind(consumer: AIOKafkaConsumer, records: Sequence[ConsumerRecord]) -> None:
    for record in reversed(records):
        try:
            consumer.seek(TopicPartition(record.topic, record.partition), record.offset)
        except IllegalStateError:  # the partition has moved to another replica
            continue


async def commit(consumer: AIOKafkaConsumer, records: Sequence[ConsumerRecord]) -> None:
    """Later than the effects; when it fails, the inbox drops what comes again.

    Raises TimeoutError without an answer: a client that has lost its group for good (a broker that
    came back without its memory) would go on for ever, each batch that long, and commit nothing.
    """
    if not records:
        return
    try:
        async with asyncio.timeout(_COMMIT_LIMIT):
            await consumer.commit(_next_offsets(records))
    except KafkaError as error:
        log.warning("offset commit failed", extra=fields(error=type(error).__name__))


def _next_offsets(records: Sequence[ConsumerRecord]) -> dict[TopicPartition, int]:
    return {TopicPartition(r.topic, r.partition): r.offset + 1 for r in records}


async def count_lag(consumer: AIOKafkaConsumer) -> int:
    """Messages of our partitions that we have not taken yet, as of the last fetch."""
    lag = 0
    try:
        async with asyncio.timeout(0.5):
            for partition in consumer.assignment():
                end = consumer.highwater(partition)
                if end is not None:  # else nothing has been fetched, and the position is not known
                    lag += max(0, end - await consumer.position(partition))
    except (IllegalStateError, AssertionError, TimeoutError):  # partitions are moving just now
        pass
    return lag
