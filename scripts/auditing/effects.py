"""The rule that each event has had its effect in every consumer group that handles its type."""

from collections.abc import Iterable
from typing import LiteralString

from psycopg import sql

from libs.asyncapi import CONSUMERS, PRODUCERS
from libs.events import EVENT_TYPES

from ..topics.database import Connection
from ..topics.letters import Letter
from .outcome import Outcome

_COUNT: LiteralString = "SELECT count(*) FROM {outbox} WHERE type = ANY(%s)"
_MISSING: LiteralString = """
SELECT event_id, type, convert_from(key, 'UTF8') FROM {outbox} o
WHERE type = ANY(%s) AND NOT EXISTS (SELECT 1 FROM {inbox} i WHERE i.event_id = o.event_id)
ORDER BY id"""


def check_effects(connection: Connection, discarded: Iterable[Letter]) -> Outcome:
    """But for those whose dead letter an operator has discarded."""
    excused = {(letter.consumer, letter.event_id) for letter in discarded}
    expected, breaches = 0, []
    for consumer, producer, types in consumer_pairs():
        outbox, inbox = sql.Identifier(producer, "outbox"), sql.Identifier(consumer, "inbox")
        count = sql.SQL(_COUNT).format(outbox=outbox)
        expected += (connection.execute(count, (types,)).fetchone() or (0,))[0]
        query = sql.SQL(_MISSING).format(outbox=outbox, inbox=inbox)
        for event_id, name, order_id in connection.execute(query, (types,)):
            if (consumer, str(event_id)) not in excused:
                breaches.append(f"order {order_id}: {name} (event {event_id}) not in {consumer}")
    numbers = {"effects": expected, "missing": len(breaches)}
    return Outcome("every event has had its effect in each consumer", numbers, breaches)


def consumer_pairs() -> Iterable[tuple[str, str, list[str]]]:
    """(consumer, producer, types)"""
    for consumer, names in CONSUMERS.items():
        for topic, producer in PRODUCERS.items():
            if types := [name for name in names if EVENT_TYPES[name].topic == topic]:
                yield consumer, producer, types
