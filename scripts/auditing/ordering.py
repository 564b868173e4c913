"""The rule that the events of one order come in the order in which they were committed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from ..topics.groups import Position
from .outboxes import OutboxRow
from .outcome import Outcome
from .streams import Message


def check_order(rows: Iterable[OutboxRow], messages: Sequence[Message]) -> Outcome:
    """In each topic; where an event comes again later, its first coming counts."""
    by_event = {row.event_id: row for row in rows}
    begins = _begins(messages)
    newest: dict[tuple[Position, bytes, str], tuple[OutboxRow, Message]] = {}
    events, breaches = 0, []
    for row, message in _first_comings(by_event, messages):
        events += 1
        place = (message.topic, message.partition)
        before, at = newest.setdefault((place, message.key, row.service), (row, message))
        if row.id >= before.id:
            newest[place, message.key, row.service] = row, message
        elif row.created_at >= begins[place]:
            breaches.append(f"{row.named()} came behind row {before.id}: {_places(message, at)}")
    numbers = {"keys": len(newest), "events": events, "out_of_order": len(breaches)}
    return Outcome("the events of an order come in their order", numbers, breaches)


def _first_comings(
    rows: Mapping[UUID, OutboxRow], messages: Iterable[Message]
) -> Iterator[tuple[OutboxRow, Message]]:
    seen: set[UUID] = set()
    for message in sorted(messages, key=lambda message: message.offset):
        row = rows.get(message.event_id) if message.event_id else None
        if row and row.topic == message.topic and row.event_id not in seen:
            seen.add(row.event_id)
            yield row, message


def _begins(messages: Iterable[Message]) -> dict[Position, float]:
    """The time from which on each partition is known: an older event that comes late may have been
    there before, in a topic that was lost or has forgotten its beginning."""
    begins: dict[Position, float] = {}
    for message in messages:
        place = (message.topic, message.partition)
        begins[place] = min(message.timestamp / 1000, begins.get(place, float("inf")))
    return begins


def _places(late: Message, early: Message) -> str:
    return f"{late.topic}[{late.partition}]@{late.offset} after @{early.offset}"
