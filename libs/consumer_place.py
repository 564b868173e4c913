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
_SESSIONS_A_REBALANCE = 3


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Whether the group gives us our part: between two assignments nothing is consumed.

    A rebalance takes a session timeout, when a member has died; one that takes several has been
    forgotten by the group's coordinator, and only a new member starts another.
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
