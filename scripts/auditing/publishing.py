"""Rules that compare the topics with the outboxes and with what consumers have taken."""

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

from libs.events import TOPICS

from ..topics.groups import Position, topics_of
from ..topics.letters import Letters
from .outboxes import OutboxRow
from .outcome import Outcome
from .streams import Message, Streams, digest


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
    """Messages that no outbox row has, newer than what the outboxes keep, and not discarded."""
    known = {_content(row) for row in rows}
    excused = {
        (letter.original_topic, letter.key or b"", digest(letter.value))
        for letter in streams.letters.discarded
    }
    return [
        message
        for message in streams.messages
        if message.timestamp >= since * 1000
        and (message.topic, message.event_id, message.key, message.digest) not in known
        and (message.topic, message.key, message.digest) not in excused
    ]


def _content(row: OutboxRow) -> tuple[str, UUID, bytes, str]:
    return row.topic, row.event_id, row.key, row.digest


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
    numbers = {
        "open": len(letters.open),
        "replayed": len(letters.replayed),
        "discarded": len(letters.discarded),
    }
    breaches = [letter.named() for letter in letters.open]
    return Outcome("nothing is in a dead-letter topic", numbers, breaches)
