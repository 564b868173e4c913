"""What is still on its way in the stack, as its database tells."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from libs.asyncapi import CONSUMERS

from ..auditing.effects import consumer_pairs

LIMIT = 120.0
PAUSE = 0.05
MAILS = "mails"

_OUTBOXES: LiteralString = (
    "SELECT table_schema FROM information_schema.tables WHERE table_name = 'outbox' ORDER BY 1"
)
_UNPUBLISHED: LiteralString = (
    "SELECT {name}, count(*) FROM {outbox} WHERE published_at IS NULL AND refused IS NULL"
)
# Events, published or not, whose effect is missing: the consumer's lag, by the effects themselves.
_UNTAKEN: LiteralString = """
SELECT {name}, count(*) FROM {outbox} o WHERE id > {since} AND type = ANY({types})
AND NOT EXISTS (SELECT 1 FROM {inbox} i WHERE i.event_id = o.event_id)"""
_QUEUED: LiteralString = "SELECT {name}, count(*) FROM notifications.mails WHERE status = 'QUEUED'"
_LAST_MAIL: LiteralString = "SELECT coalesce(max(id), 0) FROM notifications.mails"
_MAIL_LAG: LiteralString = """
SELECT percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP
       (ORDER BY extract(epoch FROM sent_at - dated)::float)
FROM notifications.mails WHERE type = 'payment.succeeded' AND sent_at IS NOT NULL AND id > %s"""

Depths = dict[str, int]


@dataclass(frozen=True)
class Drained:
    """What was left in the queues when the load ended, and in how many seconds they were empty;
    None when they were not within the limit."""

    depths: Depths
    seconds: float | None


class Queues:
    """Looks in one statement, so in one snapshot: when all queues are empty in it, nothing can
    follow any more. An effect and the events that follow from it are committed together.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self._statement = sql.Composed([])
        self._last_mail = 0

    async def mark(self) -> None:
        """Events of before now are left out of the consumers' lags, mails out of theirs."""
        outboxes = [schema for (schema,) in await self._rows(sql.SQL(_OUTBOXES))]
        ends = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}::text, coalesce(max(id), 0) FROM {}").format(
                sql.Literal(schema), sql.Identifier(schema, "outbox")
            )
            for schema in outboxes
        )
        since = dict(await self._rows(ends)) if outboxes else {}
        parts = [_unpublished(schema) for schema in outboxes]
        parts += [
            _untaken(consumer, producer, types, since.get(producer, 0))
            for consumer, producer, types in consumer_pairs()
        ]
        parts.append(sql.SQL(_QUEUED).format(name=sql.Literal(MAILS)))
        self._statement = sql.SQL(" UNION ALL ").join(parts)
        self._last_mail = (await self._rows(sql.SQL(_LAST_MAIL)))[0][0]

    async def depths(self) -> Depths:
        """All of them by name, empty ones too."""
        found: Depths = {}
        for name, count in await self._rows(self._statement):
            found[name] = found.get(name, 0) + count
        return found

    async def drain(self) -> Drained:
        """Wait until all are empty, from the end of the load on."""
        started = time.perf_counter()
        at_the_end = depths = await self.depths()
        while any(depths.values()):
            if time.perf_counter() - started > LIMIT:
                return Drained(at_the_end, None)
            await asyncio.sleep(PAUSE)
            depths = await self.depths()
        return Drained(at_the_end, time.perf_counter() - started)

    async def mail_lag(self) -> dict[str, float]:
        """Milliseconds from a payment to its mail's being sent, since `mark`."""
        cursor = await self._connection.execute(_MAIL_LAG, (self._last_mail,))
        (found,) = await cursor.fetchone() or (None,)
        shares = ("p50", "p95", "p99")
        return {name: round(1000 * s, 1) for name, s in zip(shares, found or (), strict=False)}

    async def _rows(self, query: sql.SQL | sql.Composed) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = await (await self._connection.execute(query)).fetchall()
        return found


def lags(depths: Depths) -> int:
    """Events that their consumers have not taken."""
    return sum(depths.get(f"{consumer} to take", 0) for consumer in CONSUMERS)


def _unpublished(schema: str) -> sql.Composed:
    name = sql.Literal(f"{schema} outbox")
    return sql.SQL(_UNPUBLISHED).format(name=name, outbox=sql.Identifier(schema, "outbox"))


def _untaken(consumer: str, producer: str, types: list[str], since: int) -> sql.Composed:
    return sql.SQL(_UNTAKEN).format(
        name=sql.Literal(f"{consumer} to take"),
        outbox=sql.Identifier(producer, "outbox"),
        inbox=sql.Identifier(consumer, "inbox"),
        types=sql.Literal(types),
        since=sql.Literal(since),
    )
