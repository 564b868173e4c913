"""The outboxes of all services: what waits in them, and what was published."""

from collections.abc import Iterable
from typing import LiteralString, NamedTuple
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from ..topics.database import Connection
from .outcome import Outcome

DRAINED = "outboxes are drained"

_FIND: LiteralString = """
SELECT table_schema FROM information_schema.tables
WHERE table_name = 'outbox' ORDER BY table_schema"""
_ROWS: LiteralString = """
SELECT {name} AS service, id, event_id, type, topic, coalesce(key, '') AS key,
       md5(coalesce(value, '')) AS digest, partition,
       "offset", published_at IS NOT NULL AS published, refused,
       extract(epoch FROM created_at)::float AS created_at
FROM {table}"""


class OutboxRow(NamedTuple):
    service: str
    id: int
    event_id: UUID
    type: str
    topic: str
    key: bytes
    digest: str
    partition: int | None
    offset: int | None
    published: bool
    refused: str | None
    created_at: float

    def named(self) -> str:
        return f"{self.service} outbox row {self.id} ({self.type}, event {self.event_id})"


def find_outboxes(connection: Connection) -> list[str]:
    return [schema for (schema,) in connection.execute(_FIND)]


def load_rows(connection: Connection) -> list[OutboxRow]:
    return _load(connection, sql.SQL(""))


def load_events(connection: Connection, ids: Iterable[UUID]) -> list[OutboxRow]:
    """The rows of these events, as they are now."""
    where = sql.SQL(" WHERE event_id = ANY({ids})").format(ids=sql.Literal(list(ids)))
    return _load(connection, where)


def _load(connection: Connection, where: sql.Composable) -> list[OutboxRow]:
    queries = [
        sql.SQL(_ROWS).format(name=sql.Literal(schema), table=sql.Identifier(schema, "outbox"))
        + where
        for schema in find_outboxes(connection)
    ]
    if not queries:
        return []
    with connection.cursor(row_factory=class_row(OutboxRow)) as cursor:
        return cursor.execute(sql.SQL(" UNION ALL ").join(queries)).fetchall()


def check_drained(rows: Iterable[OutboxRow]) -> Outcome:
    rows = list(rows)
    waiting = [row for row in rows if not row.published]
    refused = sum(1 for row in waiting if row.refused)
    numbers = {
        "published": len(rows) - len(waiting),
        "waiting": len(waiting) - refused,
        "refused": refused,
    }
    return Outcome(DRAINED, numbers, [f"{row.named()} {_why(row)}" for row in waiting])


def _why(row: OutboxRow) -> str:
    return f"was refused: {row.refused}" if row.refused else "waits"
