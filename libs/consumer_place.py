"""Where a consumer is in its partitions."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError

from .logging import fields, get_logger

log = get_logger(__name__)

_COMMIT_LIMIT = 10.0
_SESSIONS_A_REBALANCE = 6


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Whether the group gives us our part: between two assignments nothing is consumed.

    A rebalance takes a session timeout, when a member has died, and up to five on Tansu, when one
    joins in its midst (a new member at each of them would keep it from ever ending). One that
    takes longer has been forgotten by the group's coordinator, and only a new member starts
    another.
    """

    def __init__(self, session_timeout: float) -> None:
        self.limit = _SESSIONS_A_REBALANCE * session_timeout
        self._since: float | None = time.monotonic()

    async def on_partitions_revoked(self, revoked: object) -> None:
        self._since = time.monotonic()

    async def on_partitions_assigned(self, assigned: object) -> None:
        self._since = None

    def check(self) -> None:
        """Raises TimeoutError when the group takes too long."""
        if self._since is not None and time.monotonic() - self._since > self.limit:
            raise TimeoutError("the consumer group gives no assignment")


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


class PlaceWatch:
    """Starts over where a topic was made again and is shorter now than our place in it.

    Kafka says that such a place is out of range, and the client starts over by itself; other
    brokers (Tansu) let it wait until the topic has grown past it, and what came before is missed.
    Two looks in a row, since a partition's new leader may not know at first how far it goes.
    """

    def __init__(self) -> None:
        self._suspects: set[TopicPartition] = set()

    async def start_over_where_lost(self, consumer: AIOKafkaConsumer) -> None:
        distances = await _measure(consumer)
        beyond = {partition for partition, distance in distances.items() if distance < 0}
        for partition in beyond & self._suspects:
            log.warning(
                "topic is shorter than our place in it, starting over",
                extra=fields(topic=partition.topic, partition=partition.partition),
            )
            consumer.seek(partition, 0)
        self._suspects = beyond - self._suspects


async def count_lag(consumer: AIOKafkaConsumer) -> int:
    """Messages of our partitions that we have not taken yet, as of the last fetch."""
    return sum(max(0, distance) for distance in (await _measure(consumer)).values())


async def _measure(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """How far each partition goes beyond our place, as far as that is known."""
    distances = {}
    try:
        async with asyncio.timeout(0.5):
            for partition in consumer.assignment():
                end = consumer.highwater(partition)
                if end is not None:  # else nothing has been fetched, and the position is not known
                    distances[partition] = end - await consumer.position(partition)
    except (IllegalStateError, AssertionError, TimeoutError):  # partitions are moving just now
        pass
    return distances
