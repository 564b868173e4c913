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
_SESSIONS_OF_SILENCE = 10


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Whether the group gives us our part: between two assignments nothing is consumed.

    A rebalance takes a session timeout, when a member has died, and up to five on Tansu, when one
    joins in its midst (a new member at each of them would keep it from ever ending). One that
    takes longer has been forgotten by the group's coordinator, and only a new member starts
    another.
    """

    def __init__(self, session_timeout: float, offsets: "Offsets") -> None:
        self.limit = _SESSIONS_A_REBALANCE * session_timeout
        self._offsets = offsets
        self._since: float | None = time.monotonic()

    async def on_partitions_revoked(self, revoked: object) -> None:
        self._since = time.monotonic()
        await self._offsets.close()

    async def on_partitions_assigned(self, assigned: object) -> None:
        self._since = None

    def check(self) -> None:
        """Raises TimeoutError when the group takes too long."""
        if self._since is not None and time.monotonic() - self._since > self.limit:
            raise TimeoutError("the consumer group gives no assignment")


class Silence:
    """For how long nothing has been heard of our partitions: a fetch without messages is an answer.

    A client comes back by itself from a broker that was away. One whose own task has ended does
    not, and says nothing of it: only a new client does.
    """

    def __init__(self, consumer: AIOKafkaConsumer, session_timeout: float) -> None:
        self._consumer = consumer
        self._limit = _SESSIONS_OF_SILENCE * session_timeout
        self._heard: set[tuple[TopicPartition, int | None]] = set()
        self._since = time.monotonic()

    def check(self, records: Sequence[ConsumerRecord]) -> None:
        """After each turn. Raises TimeoutError when it lasts too long."""
        places = self._consumer.assignment()
        heard = {(place, self._consumer.last_poll_timestamp(place)) for place in places}
        if records or not places or heard != self._heard:
            self._heard, self._since = heard, time.monotonic()
        elif time.monotonic() - self._since > self._limit:
            raise TimeoutError("the broker says nothing of our partitions")


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
