"""What is in the topics."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from aiokafka import ConsumerRecord, TopicPartition

from libs.events import TOPICS
from libs.letter_format import is_dead_letter_topic

from ..topics.groups import Position
from ..topics.letters import LETTER_TOPICS, Letters, sort_letters
from ..topics.reader import find_partitions, read_beginnings, read_to_end
from .outboxes import OutboxRow


class Message(NamedTuple):
    """What the audit remembers of a message of an event topic."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    event_id: UUID | None
    key: bytes
    digest: str

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
        record.key or b"",
        digest(value),
    )


def _event_id(value: bytes | None) -> UUID | None:
    try:
        return UUID(json.loads(value or b"")["id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def digest(value: bytes | None) -> str:
    """A null value counts as an empty one: brokers and clients differ in what they make of it."""
    return hashlib.md5(value or b"", usedforsecurity=False).hexdigest()
