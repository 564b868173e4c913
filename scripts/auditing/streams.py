"""What is in the topics, and the rules that compare it with the outboxes."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from aiokafka import ConsumerRecord, TopicPartition

from libs.events import TOPICS
from libs.kafka import is_dead_letter_topic

from ..topics.groups import Position, topics_of
from ..topics.letters import LETTER_TOPICS, Letters, sort_letters
from ..topics.reader import find_partitions, read_beginnings, read_to_end
from .outboxes import OutboxRow
from .outcome import Outcome


class Message(NamedTuple):
    """What the audit remembers of a message of an event topic."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    event_id: UUID | None
    key: bytes | None
    digest: str | None

    def named(self) -> str:
        event = f" (event {self.event_id})" if self.event_id else ""
        return f"{self.topic}[{self.partition}]@{self.offset}{event}"


@dataclass(frozen=True)
class Streams:
    messages: Sequence[Message]
    letters: Letters
    begins: dict[Position, int]


async def read_streams(
    bootstrap: str, rows: Iterable[OutboxRow], progress: Callable[[int], None]
) -> Streams:
    partitions = await find_partitions(bootstrap, (*TOPICS, *LETTER_TOPICS))
    highest = _highest(rows, partitions)
    messages: list[Message] = []
    letters: list[ConsumerRecord] = []
    begins = await read_beginnings(bootstrap, partitions) if partitions else {}
    async for record in read_to_end(bootstrap, partitions, highest):
        if is_dead_letter_topic(record.topic):
            letters.append(record)
        else:
            messages.append(_message(record))
        progress(len(messages))
    return Streams(messages, sort_letters(letters), begins)


def _highest(
    rows: Iterable[OutboxRow], partitions: Collection[TopicPartition]
) -> dict[TopicPartition, int]:
    highest: dict[TopicPartition, int] = {}
    for row in rows:
        place = TopicPartition(row.topic, row.partition)
        if row.published and row.offset is not None and place in partitions:
            highest[place] = max(row.offset, highest.get(place, 0))
    return highest


def _message(record: ConsumerRecord) -> Message:
    value: bytes | None = record.value
    return Message(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        _event_id(value),
        record.key,
        _digest(value),
    )


def _event_id(value: bytes | None) -> UUID | None:
    try:
        return UUID(json.loads(value or b"")["id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def check_published(rows: Iterable[OutboxRow], streams: Streams) -> Outcome:
    """Nothing that is marked as published is missing, but for what a topic keeps no longer."""
    there = {message.event_id for message in streams.messages}
    published = [row for row in rows if row.published and row.topic in TOPICS]
    missing = [
        row for row in published if row.event_id not in there and not _expired(row, streams.begins)
    ]
    copies = Counter(m.event_id for m in streams.messages if m.event_id).values()
    numbers = {
        "published": len(published),
        "messages": len(streams.messages),
        "sent_again": sum(copies) - len(copies),
        "missing": len(missing),
    }
    breaches = [f"{row.named()} is not in {row.topic}" for row in missing]
    return Outcome("every published event is in its topic", numbers, breaches)


def _expired(row: OutboxRow, begins: dict[Position, int]) -> bool:
    if row.partition is None or row.offset is None:
        return False
    return row.offset < begins.get((row.topic, row.partition), 0)


def find_unknown(rows: Iterable[OutboxRow], streams: Streams, since: float) -> list[Message]:
    """Messages that no outbox row has, newer than what the outboxes keep, and not settled."""
    known = {_content(row) for row in rows}
    settled = {
        (letter.original_topic, letter.key, letter.value) for letter in streams.letters.settled
    }
    excused = {(topic, key, _digest(value)) for topic, key, value in settled}
    return [
        message
        for message in streams.messages
        if message.timestamp >= since * 1000
        and (message.topic, message.event_id, message.key, message.digest) not in known
        and (message.topic, message.key, message.digest) not in excused
    ]


def _content(row: OutboxRow) -> tuple[str, UUID, bytes | None, str | None]:
    return row.topic, row.event_id, row.key, row.digest


def _digest(value: bytes | None) -> str | None:
    return None if value is None else hashlib.md5(value, usedforsecurity=False).hexdigest()


def check_committed(unknown: Sequence[Message], messages: int) -> Outcome:
    numbers = {"messages": messages, "not_from_an_outbox": len(unknown)}
    breaches = [f"{message.named()} is in no outbox" for message in unknown]
    return Outcome("nothing is published that was not committed", numbers, breaches)


def check_lag(committed: dict[str, dict[Position, int]], streams: Streams) -> Outcome:
    """By the messages themselves: a broker's count may be off."""
    lags: dict[tuple[str, Position], int] = {}
    for group, offsets in committed.items():
        topics = topics_of(group)
        for message in streams.messages:
            place = (message.topic, message.partition)
            if message.topic in topics and message.offset >= offsets.get(place, 0):
                lags[group, place] = lags.get((group, place), 0) + 1
    numbers = {"groups": len(committed), "behind": sum(lags.values())}
    breaches = [
        f"{group} is {behind} messages behind in {topic}[{partition}]"
        for (group, (topic, partition)), behind in sorted(lags.items())
    ]
    return Outcome("consumers have taken everything", numbers, breaches)


def check_letters(letters: Letters) -> Outcome:
    numbers = {"open": len(letters.open), "settled": len(letters.settled)}
    breaches = [letter.named() for letter in letters.open]
    return Outcome("nothing is in a dead-letter topic", numbers, breaches)
