"""What the leading relay does with outbox rows: sends them in order, and again when lost."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from .kafka import ask_for_topics
from .letter_format import is_dead_letter_topic
from .logging import fields, get_logger
from .loops import Loop
from .metrics import EVENTS_PUBLISHED
from .outbox_rows import OutboxRows, Position, WaitingRow
from .topic_watch import TopicWatch

log = get_logger(__name__)

PUBLISH_LIMIT = 15.0
_BATCH = 500
_LOSS_CHECK_SECONDS = 2.0
_SHORTEST_RESTART = 0.1
"""Seconds: no broker dies and is back in less."""


class Publisher:
    def __init__(
        self, rows: OutboxRows, producer: AIOKafkaProducer, watch: TopicWatch, service: str
    ) -> None:
        self._rows = rows
        self._producer = producer
        self._watch = watch
        self._service = service
        self._highest: dict[Position, int] = {}
        self._checked_at = 0.0
        self._met_at = 0.0

    async def start(self, partitions: Mapping[str, int]) -> None:
        """`partitions` is how many each topic has; a broker that lost all may have fewer now."""
        self._highest = await self._rows.load_highest()
        for position in list(self._highest):
            if position[1] >= partitions.get(position[0], 0):
                del self._highest[position]
                await self._resend(position, 0, keep=[])

    async def publish_waiting(self, loop: Loop) -> float:
        """Publish until nothing waits; the age in seconds of the oldest row at the start."""
        oldest = 0.0
        while waiting := await self._rows.fetch_waiting(_BATCH):
            oldest = max(oldest, waiting[0].age)
            if any(is_dead_letter_topic(row.topic) for row in waiting):
                with loop.waiting():
                    await self._find_lost_letters()
            for rows in _in_turns(waiting):
                loop.progressed(lag_seconds=round(waiting[0].age, 3))
                with loop.waiting():
                    await self._meet_broker()
                await self._publish(rows)
            if len(waiting) < _BATCH:  # whoever has committed since has woken the loop
                break
        return oldest

    async def resend_lost(self) -> None:
        """Now and then: rows that the broker has acknowledged and lost are published again."""
        now = asyncio.get_running_loop().time()
        if now - self._checked_at < _LOSS_CHECK_SECONDS:
            return
        self._checked_at = now
        await self._resend_lost_of(self._highest)

    async def _find_lost_letters(self) -> None:
        """Before a new letter moves the highest place that we know of our old ones.

        Dead-letter topics have several writers, so there a loss does not show in the offset
        that our next message gets.
        """
        letters = {p: offset for p, offset in self._highest.items() if is_dead_letter_topic(p[0])}
        await self._resend_lost_of(letters)

    async def _resend_lost_of(self, highest: dict[Position, int]) -> None:
        if not highest:
            return
        for position, first_lost in (await self._watch.find_lost(highest)).items():
            await self._resend(position, first_lost, keep=[])
            self._highest[position] = first_lost - 1

    async def _publish(self, waiting: Sequence[WaitingRow]) -> None:
        """Send the rows and mark those that the broker has; raises when any other failed."""
        async with asyncio.timeout(PUBLISH_LIMIT):
            sends = [await self._send(row) for row in waiting]
            await self._producer.flush()
            results = await asyncio.gather(*sends, return_exceptions=True)
        published = [
            (row.id, result)
            for row, result in zip(waiting, results, strict=True)
            if isinstance(result, RecordMetadata)
        ]
        await self._mark(published)
        too_large = [
            row.id
            for row, result in zip(waiting, results, strict=True)
            if isinstance(result, MessageSizeTooLargeError)
        ]
        if too_large:
            await self._rows.set_aside(too_large, "larger than the broker takes")
            log.error("messages are larger than the broker takes", extra=fields(outbox=too_large))
        for result in results:
            if isinstance(result, BaseException) and not isinstance(
                result, MessageSizeTooLargeError
            ):
                raise result

    async def _meet_broker(self) -> None:
        """After a silence in which one may have come that needs to make its topics first."""
        now = asyncio.get_running_loop().time()
        if now - self._met_at > _SHORTEST_RESTART:
            async with asyncio.timeout(PUBLISH_LIMIT):
                await ask_for_topics(self._producer)
        self._met_at = now

    async def _send(self, row: WaitingRow) -> Awaitable[RecordMetadata]:
        headers = [(name, text.encode()) for name, text in row.headers.items()]
        try:
            sent: Awaitable[RecordMetadata] = await self._producer.send(
                row.topic, row.value, key=row.key, headers=headers
            )
        except MessageSizeTooLargeError as error:
            failed: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed
        return sent

    async def _mark(self, published: Sequence[tuple[int, RecordMetadata]]) -> None:
        ids = [row_id for row_id, _ in published]
        offsets = [sent.offset if sent.offset >= 0 else None for _, sent in published]
        await self._rows.mark_published(ids, [sent.partition for _, sent in published], offsets)
        EVENTS_PUBLISHED.labels(self._service).inc(len(published))
        seen: dict[Position, list[int]] = {}
        for _, sent in published:
            if sent.offset >= 0:  # a broker that has the message already may not say where
                seen.setdefault((sent.topic, sent.partition), []).append(sent.offset)
        for position, given in seen.items():
            if min(given) <= self._highest.get(position, -1):
                first_lost = await self._watch.find_begin_of_loss(position, min(given))
                # Events just sent go again too: a consumer at its place of before passes them by.
                keep = ids if is_dead_letter_topic(position[0]) else []
                await self._resend(position, first_lost, keep=keep)
            self._highest[position] = max(given)

    async def _resend(self, position: Position, first_lost: int, *, keep: Sequence[int]) -> None:
        if rows := await self._rows.unmark(position, first_lost, keep=keep):
            log.warning(
                "the broker lost published events; sending them again",
                extra=fields(topic=position[0], partition=position[1], rows=rows),
            )


def _in_turns(waiting: Sequence[WaitingRow]) -> Iterable[Sequence[WaitingRow]]:
    """One event of an order at a time, the next when the broker has it.

    A producer without idempotence sends what comes behind a message that fails, and then the
    failed one again; sending both again would help nobody who has taken the later one.
    """
    turns: defaultdict[int, list[WaitingRow]] = defaultdict(list)
    before: Counter[tuple[str, bytes | None]] = Counter()
    for row in waiting:
        if is_dead_letter_topic(row.topic):  # in no order
            turns[0].append(row)
        else:
            turns[before[row.topic, row.key]].append(row)
            before[row.topic, row.key] += 1
    return [turns[number] for number in sorted(turns)]
