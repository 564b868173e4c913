"""Where a consumer is in its partitions."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError

from .logging import fields, get_logger

log = get_logger(__name__)

Distances = Mapping[TopicPartition, int]

_COMMIT_LIMIT = 10.0
_LAST_COMMIT_LIMIT = 2.0
_COMMIT_EVERY = 0.2
_SESSIONS_A_REBALANCE = 6


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Our part in the group: what we have taken is committed before it goes to another member.

    A rebalance takes a session timeout, when a member has died, and up to five on Tansu, when one
    joins in its midst (a new member at each of them would keep it from ever ending). One that
    takes longer than `limit`, in seconds, has been forgotten by the group's coordinator, and only
    a new member starts another.
    """

    def __init__(self, session_timeout: float, offsets: "Offsets") -> None:
        self.limit = _SESSIONS_A_REBALANCE * session_timeout
        self._offsets = offsets

    async def on_partitions_revoked(self, revoked: object) -> None:
        await self._offsets.close()

    async def on_partitions_assigned(self, assigned: object) -> None:
        pass


def rewind(consumer: AIOKafkaConsumer, records: Sequence[ConsumerRecord]) -> None:
    for record in reversed(records):
        try:
            consumer.seek(TopicPartition(record.topic, record.partition), record.offset)
        except IllegalStateError:  # the partition has moved to another replica
            continue


class Offsets:
    """Commits a place some time after the effects of all before it, for many batches at once.

    What comes again after a crash in between, or a commit that failed, the inbox drops.
    """

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._due: dict[TopicPartition, int] = {}
        self._due_at = 0.0

    def taken(self, records: Iterable[ConsumerRecord]) -> None:
        """These have had their effect."""
        if not self._due:
            self._due_at = time.monotonic() + _COMMIT_EVERY
        for record in records:
            self._due[TopicPartition(record.topic, record.partition)] = record.offset + 1

    def start_over(self, partition: TopicPartition) -> None:
        """Take this one from its beginning, now and after a restart."""
        self._consumer.seek(partition, 0)
        self._due_at = self._due_at if self._due else time.monotonic() + _COMMIT_EVERY
        self._due[partition] = 0

    def wait(self, longest: float) -> float:
        """For how long nobody needs to call `commit_due`, in seconds, at most `longest`."""
        return max(0.0, min(longest, self._due_at - time.monotonic())) if self._due else longest

    async def commit_due(self) -> None:
        """Raises TimeoutError without an answer: a client that has lost its group for good (a
        broker that came back without its memory) would go on for ever, and commit nothing."""
        if self._due and time.monotonic() >= self._due_at:
            async with asyncio.timeout(_COMMIT_LIMIT):
                await self._commit()

    async def close(self) -> None:
        """The last ones before the partitions go to another member, if there is an answer soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_COMMIT_LIMIT):
                await self._commit()
        self._due = {}

    async def _commit(self) -> None:
        ours = self._consumer.assignment()  # one that has moved would make the others' commit fail
        due = {place: offset for place, offset in self._due.items() if place in ours}
        self._due = {}
        if not due:
            return
        try:
            await self._consumer.commit(due)
        except (KafkaError, IllegalStateError) as error:
            # Not made again: the client may be a group's member no more, so that a broker which
            # has lost the group, and the topic with it, would take a place of before.
            log.warning("offset commit failed", extra=fields(error=type(error).__name__))


class PlaceWatch:
    """Starts over where a topic was made again and is shorter now than our place in it.

    Kafka says that such a place is out of range, and the client starts over by itself; other
    brokers (Tansu) let it wait until the topic has grown past it, and what came before is missed.
    Two looks in a row, since a partition's new leader may not know at first how far it goes; no
    more, since the topic grows past our place again as lost events are sent again.
    """

    def __init__(self, offsets: Offsets) -> None:
        self._offsets = offsets
        self._suspects: set[TopicPartition] = set()

    def start_over_where_lost(self, distances: Distances) -> None:
        beyond = {partition for partition, distance in distances.items() if distance < 0}
        for partition in beyond & self._suspects:
            log.warning(
                "topic is shorter than our place in it, starting over",
                extra=fields(topic=partition.topic, partition=partition.partition),
            )
            self._offsets.start_over(partition)
        self._suspects = beyond - self._suspects


def lag(distances: Distances) -> int:
    """Messages of our partitions that we have not taken yet, as of the last fetch."""
    return sum(max(0, distance) for distance in distances.values())


async def measure(consumer: AIOKafkaConsumer) -> Distances:
    """How far each partition goes beyond our place, as far as that is known."""
    distances: dict[TopicPartition, int] = {}
    try:
        async with asyncio.timeout(0.5):
            for partition in consumer.assignment():
                end = consumer.highwater(partition)
                if end is not None:  # else nothing has been fetched, and the position is not known
                    distances[partition] = end - await consumer.position(partition)
    except (IllegalStateError, AssertionError, TimeoutError):  # partitions are moving just now
        pass
    return distances
