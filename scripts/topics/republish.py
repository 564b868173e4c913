"""Has a service's relay send events again, also those that the broker refused: their outbox rows
wait once more."""

import time
from datetime import datetime
from typing import LiteralString

from psycopg import sql

from ..console import Console, ScriptError
from .database import Connection

_QUIET_LIMIT = 30.0
_FIND: LiteralString = (
    "SELECT count(*) FROM {} "
    "WHERE published_at >= %(t)s OR (refused IS NOT NULL AND created_at >= %(t)s)"
)
_AGAIN: LiteralString = (
    "UPDATE {} SET published_at = NULL, refused = NULL "
    "WHERE published_at >= %(t)s OR (refused IS NOT NULL AND created_at >= %(t)s)"
)
_REFUSED: LiteralString = "SELECT refused FROM {} WHERE refused IS NOT NULL AND created_at >= %(t)s"
_WAITING: LiteralString = "SELECT count(*) FROM {} WHERE published_at IS NULL AND refused IS NULL"


def count(connection: Connection, service: str, since: datetime) -> int:
    query = sql.SQL(_FIND).format(_outbox(service))
    return int((connection.execute(query, {"t": since}).fetchone() or (0,))[0])


def republish(connection: Connection, service: str, since: datetime, console: Console) -> int:
    """How many were sent again, in the order in which they were written; inboxes drop the doubles.

    Raises ScriptError when the service's relay makes no progress, or the broker refuses one again.
    """
    number = connection.execute(sql.SQL(_AGAIN).format(_outbox(service)), {"t": since}).rowcount
    connection.execute("SELECT pg_notify(%s, '')", (f"outbox_{service}",))
    left, moved = number, time.monotonic()
    while waiting := _count_waiting(connection, service):
        if waiting < left:
            left, moved = waiting, time.monotonic()
        if time.monotonic() - moved > _QUIET_LIMIT:
            raise ScriptError(
                f"{waiting} events of {service} still wait; they go out when {service} and Kafka "
                "are up"
            )
        console.progress(f"sending again: {waiting} of {number} events wait")
        time.sleep(0.1)
    again = connection.execute(sql.SQL(_REFUSED).format(_outbox(service)), {"t": since}).fetchall()
    if again:
        raise ScriptError(
            f"{len(again)} of {number} events were refused again: {again[0][0]}; mend that (the "
            "broker's message.max.bytes?) and try again"
        )
    return number


def _count_waiting(connection: Connection, service: str) -> int:
    query = sql.SQL(_WAITING).format(_outbox(service))
    return int((connection.execute(query).fetchone() or (0,))[0])


def _outbox(service: str) -> sql.Identifier:
    return sql.Identifier(service, "outbox")
