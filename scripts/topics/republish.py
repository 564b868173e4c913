"""Has a service's relay send published events again: its outbox rows wait once more."""

import time
from datetime import datetime
from typing import LiteralString

from psycopg import sql

from ..console import Console, ScriptError
from .database import Connection

_QUIET_LIMIT = 30.0
_FIND: LiteralString = "SELECT count(*) FROM {} WHERE published_at >= %s"
_AGAIN: LiteralString = "UPDATE {} SET published_at = NULL WHERE published_at >= %s"
_WAITING: LiteralString = "SELECT count(*) FROM {} WHERE published_at IS NULL AND refused IS NULL"


def count_published(connection: Connection, service: str, since: datetime) -> int:
    query = sql.SQL(_FIND).format(_outbox(service))
    return int((connection.execute(query, (since,)).fetchone() or (0,))[0])


def republish(connection: Connection, service: str, since: datetime, console: Console) -> int:
    """How many were sent again, in the order in which they were written; inboxes drop the doubles.

    Raises ScriptError when the service's relay makes no progress.
    """
    number = connection.execute(sql.SQL(_AGAIN).format(_outbox(service)), (since,)).rowcount
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
    return number


def _count_waiting(connection: Connection, service: str) -> int:
    query = sql.SQL(_WAITING).format(_outbox(service))
    return int((connection.execute(query).fetchone() or (0,))[0])


def _outbox(service: str) -> sql.Identifier:
    return sql.Identifier(service, "outbox")
