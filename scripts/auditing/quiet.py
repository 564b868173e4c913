"""Waits until the stack is quiet: nothing on its way any more."""

import asyncio
import time
from typing import Any, LiteralString

from psycopg import sql

from ..console import Console
from ..stacks import StackAway, Target
from ..topics.database import Connection, open_database
from ..topics.groups import read_committed
from .audit import read_topics
from .outboxes import find_outboxes, load_rows
from .publishing import check_lag, check_published

_PAUSE = 0.2
_MAILS: LiteralString = "SELECT count(*) FROM notifications.mails WHERE status = 'QUEUED'"
_WAITING: LiteralString = (
    "SELECT count(*) FILTER (WHERE published_at IS NULL AND refused IS NULL),"
    " coalesce(max(id), 0) FROM {}"
)


def wait_until_quiet(target: Target, console: Console, limit: float) -> str:
    """Empty when it is quiet, else what was still on its way after `limit` seconds.

    A server that is away may be about to come back; raises StackAway when it does not.
    """
    deadline = time.monotonic() + limit
    while True:
        try:
            with open_database(target) as connection:
                busy = _busy(target, connection, console)
        except StackAway as away:
            if time.monotonic() > deadline:
                raise
            busy = str(away)
        if not busy or time.monotonic() > deadline:
            return busy
        console.progress(f"waiting until the stack is quiet: {busy}")
        time.sleep(_PAUSE)


def _busy(target: Target, connection: Connection, console: Console) -> str:
    """Quiet is: no event was written while all that are there were published and taken."""
    busy, before = _look(connection)
    if busy:
        return busy
    rows = load_rows(connection)
    streams = read_topics(target, rows, console)
    behind = check_lag(asyncio.run(read_committed(target.kafka)), streams).numbers["behind"]
    missing = check_published(rows, streams).numbers["missing"]
    if behind or missing:
        return f"{behind} messages not taken, {missing} lost ones not sent again"
    busy, after = _look(connection)
    return busy or ("events are still being written" if after != before else "")


def _look(connection: Connection) -> tuple[str, Any]:
    """(what waits in the queues, the last event of each outbox)"""
    waiting, last = 0, {}
    for schema in find_outboxes(connection):
        query = sql.SQL(_WAITING).format(sql.Identifier(schema, "outbox"))
        unpublished, last[schema] = connection.execute(query).fetchone() or (0, 0)
        waiting += unpublished
    (queued,) = connection.execute(_MAILS).fetchone() or (0,)
    if waiting or queued:
        return f"{waiting} events not published, {queued} mails not sent", last
    return "", last
