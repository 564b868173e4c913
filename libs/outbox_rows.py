"""The relay's queries on a service's outbox table, on one connection of its own."""

from collections.abc import Mapping, Sequence
from typing import LiteralString, NamedTuple

import psycopg
from aiokafka import ConsumerRecord
from psycopg import sql
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

Position = tuple[str, int]
"""Topic and partition."""

_FETCH: LiteralString = """
SELECT id, topic, key, value, headers,
       extract(epoch FROM clock_timestamp() - created_at)::float AS age
FROM {outbox} WHERE published_at IS NULL AND refused IS NULL ORDER BY id LIMIT %s"""
_MARK: LiteralString = """
UPDATE {outbox} AS o SET published_at = now(), partition = v.partition, "offset" = v."offset"
FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS v(id, partition, "offset")
WHERE o.id = v.id"""
# From one position to the next by the index: a GROUP BY reads a whole week of published events.
_HIGHEST: LiteralString = """
WITH RECURSIVE positions AS (
    (SELECT topic, partition FROM {outbox} WHERE "offset" IS NOT NULL AND partition IS NOT NULL
     ORDER BY topic, partition LIMIT 1)
    UNION ALL
    SELECT following.* FROM positions p, LATERAL (
        SELECT topic, partition FROM {outbox} o
        WHERE (o.topic, o.partition) > (p.topic, p.partition) AND "offset" IS NOT NULL
        ORDER BY o.topic, o.partition LIMIT 1
    ) following
)
SELECT p.topic, p.partition, highest."offset" FROM positions p, LATERAL (
    SELECT "offset" FROM {outbox} o
    WHERE o.topic = p.topic AND o.partition = p.partition
      AND o."offset" IS NOT NULL AND published_at IS NOT NULL
    ORDER BY o."offset" DESC LIMIT 1
) highest"""
# A broker that had a message already, from a try without an answer, may not have said where.
_UNMARK: LiteralString = """
UPDATE {outbox} SET published_at = NULL
WHERE topic = %s AND partition = %s AND ("offset" >= %s OR "offset" IS NULL)
  AND published_at IS NOT NULL AND NOT id = ANY(%s)"""

_HOLDS: LiteralString = """
SELECT EXISTS (
  SELECT FROM {outbox} WHERE topic = %s AND partition = %s AND "offset" = %s
  AND key IS NOT DISTINCT FROM %s AND value IS NOT DISTINCT FROM %s AND headers = %s
  AND published_at IS NOT NULL
)"""

_REFUSE: LiteralString = "UPDATE {outbox} SET refused = %s WHERE id = ANY(%s)"


class WaitingRow(NamedTuple):
    """A committed event that is not published yet; `age` in seconds."""

    id: int
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]
    age: float


class OutboxRows:
    def __init__(self, connection: psycopg.AsyncConnection[TupleRow], service: str) -> None:
        self._connection = connection
        self._table = sql.Identifier(service, "outbox")

    async def fetch_waiting(self, limit: int) -> list[WaitingRow]:
        """The oldest ones, in the order in which they must be published."""
        async with self._connection.cursor(row_factory=class_row(WaitingRow)) as cursor:
            await cursor.execute(self._sql(_FETCH), (limit,))
            return await cursor.fetchall()

    async def mark_published(
        self, ids: Sequence[int], partitions: Sequence[int], offsets: Sequence[int | None]
    ) -> None:
        """Keep where the broker put each row."""
        await self._connection.execute(
            self._sql(_MARK), (list(ids), list(partitions), list(offsets))
        )

    async def set_aside(self, ids: Sequence[int], reason: str) -> None:
        await self._connection.execute(self._sql(_REFUSE), (reason, list(ids)))

    async def load_highest(self) -> dict[Position, int]:
        """The highest offset of each partition that we have published to."""
        cursor = await self._connection.execute(self._sql(_HIGHEST))
        return {(topic, partition): offset for topic, partition, offset in await cursor.fetchall()}

    async def holds(self, record: ConsumerRecord) -> bool:
        """Whether this very message was published to its place by us."""
        place = (record.topic, record.partition, record.offset)
        headers = {name: text.decode(errors="replace") for name, text in record.headers}
        if "\0" in "".join([*headers, *headers.values()]):
            return False  # Postgres takes no such text, so we never sent it
        content = (record.key, record.value, Jsonb(headers))
        cursor = await self._connection.execute(self._sql(_HOLDS), (*place, *content))
        row = await cursor.fetchone()
        return bool(row and row[0])

    async def unmark(self, position: Position, first_lost: int, *, keep: Sequence[int]) -> int:
        """Have the rows from this offset on published again, but for those in `keep`; how many."""
        cursor = await self._connection.execute(
            self._sql(_UNMARK), (*position, first_lost, list(keep))
        )
        return cursor.rowcount

    def _sql(self, statement: LiteralString) -> sql.Composed:
        return sql.SQL(statement).format(outbox=self._table)
