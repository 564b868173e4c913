"""The stack's database, and whether a message had its effect in a consumer group."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from libs.asyncapi import CONSUMERS

from ..stacks import HOW_TO_START_ONE, StackAway, Target

Connection = psycopg.Connection[tuple[Any, ...]]

_HAD: LiteralString = "SELECT 1 FROM {} WHERE event_id = %s"
_REFUSED: LiteralString = (
    "SELECT headers->>'reason' FROM {} WHERE type = 'dead-letter' AND headers->>'replay' = %s"
    " ORDER BY id DESC LIMIT 1"
)

_FORGET: LiteralString = "DELETE FROM {} WHERE type = 'dead-letter' AND event_id = %s"


@contextmanager
def open_database(target: Target) -> Iterator[Connection]:
    """Each statement commits by itself. Raises StackAway."""
    dsn = target.postgres_dsn.replace("+psycopg", "", 1)
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
            yield connection
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise StackAway("The tables are missing; make them: python scripts/seed.py") from None
    except psycopg.OperationalError as error:
        where, why = dsn.rpartition("@")[2], str(error).strip().splitlines()[0]
        raise StackAway(
            f"Postgres at {where} does not answer ({why}); {HOW_TO_START_ONE}"
        ) from None


def had_effect(connection: Connection, consumer: str, event_id: str) -> bool:
    try:
        identity = UUID(event_id)
    except ValueError:
        return False
    query = sql.SQL(_HAD).format(sql.Identifier(consumer, "inbox"))
    return connection.execute(query, (identity,)).fetchone() is not None


def forget(connection: Connection, consumer: str, letter_id: str) -> None:
    """Drop the outbox row of a settled letter, so that its relay never sends it again."""
    try:
        identity = UUID(letter_id)
    except ValueError:
        return
    if consumer in CONSUMERS:
        query = sql.SQL(_FORGET).format(sql.Identifier(consumer, "outbox"))
        connection.execute(query, (identity,))


def find_refusal(connection: Connection, consumer: str, replay: str) -> str | None:
    """Why the consumer could not take this replay either."""
    query = sql.SQL(_REFUSED).format(sql.Identifier(consumer, "outbox"))
    row = connection.execute(query, (replay,)).fetchone()
    return str(row[0]) if row else None
