"""Dead letters: which there are, and which of them an operator has settled.

A Kafka topic has no delete of one record. So a letter is settled by a further record in its
dead-letter topic that names it, written after the deed: whoever dies in between leaves a letter
that is listed again, never one that is lost.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer, ConsumerRecord

from libs.events import TOPICS
from libs.letter_format import CONSUMER, DLQ_SUFFIX, LETTER_ID, REASON, SETTLED, dead_letter_topic

from .reader import find_partitions, read_to_end

LETTER_TOPICS = tuple(dead_letter_topic(topic) for topic in TOPICS)

HOW, DISCARDED = "how", "discarded"


@dataclass(frozen=True)
class Letter:
    """A message that a consumer group could not take, with its original key and bytes."""

    id: str
    topic: str
    partition: int
    offset: int
    time: datetime
    consumer: str
    reason: str
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)

    @property
    def original_topic(self) -> str:
        return self.topic.removesuffix(DLQ_SUFFIX)

    @property
    def event_id(self) -> str:
        """Empty when the message is no event."""
        return _described(self.value)[0]

    @property
    def type(self) -> str:
        return _described(self.value)[1]

    @property
    def place(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"

    def named(self) -> str:
        return f"{self.place}: {self.type} for {self.consumer}: {self.reason}"


@dataclass(frozen=True)
class Letters:
    open: list[Letter]
    replayed: list[Letter]
    discarded: list[Letter]


async def read_letters(bootstrap: str, topics: Iterable[str] = LETTER_TOPICS) -> Letters:
    partitions = await find_partitions(bootstrap, topics)
    return sort_letters([record async for record in read_to_end(bootstrap, partitions)])


def sort_letters(records: Iterable[ConsumerRecord]) -> Letters:
    """A letter that was sent twice (a relay may do so) is one letter."""
    letters: dict[str, Letter] = {}
    settled: dict[str, str] = {}
    for record in records:
        headers = _headers(record)
        if name := headers.get(SETTLED):
            settled[name] = headers.get(HOW, "")
        else:
            letter = _letter(record, headers)
            letters[letter.id] = letter
    ordered = sorted(letters.values(), key=lambda letter: letter.time)
    found = Letters([], [], [])
    for letter in ordered:
        how = settled.get(letter.id)
        ended = found.discarded if how == DISCARDED else found.replayed
        (found.open if how is None else ended).append(letter)
    return found


async def settle(producer: AIOKafkaProducer, letter: Letter, how: str) -> None:
    """Take a letter off the list; `how` is kept for whoever reads the topic."""
    headers = [(SETTLED, letter.id.encode()), (HOW, how.encode())]
    async with asyncio.timeout(15):
        await producer.send_and_wait(letter.topic, b"", key=letter.key, headers=headers)


def _headers(record: ConsumerRecord) -> dict[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in record.headers}


def _letter(record: ConsumerRecord, headers: dict[str, str]) -> Letter:
    place = f"{record.topic}[{record.partition}]@{record.offset}"
    return Letter(
        id=headers.get(LETTER_ID) or place,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        time=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        consumer=headers.get(CONSUMER, "?"),
        reason=headers.get(REASON, "no reason given"),
        key=record.key,
        value=record.value,
    )


def _described(value: bytes | None) -> tuple[str, str]:
    """(event id, type), as far as they can be read; a letter may be anything."""
    try:
        event = json.loads(value or b"")
    except (ValueError, RecursionError):
        return "", "?"
    found = event if isinstance(event, dict) else {}
    return str(found.get("id", "")), str(found.get("type", "?"))
