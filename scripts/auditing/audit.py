"""The audit: every rule, over one snapshot of all schemas, and the topics and mails after it."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from ..console import Console
from ..stacks import Target, environment
from ..topics.database import Connection, open_database
from ..topics.groups import read_committed
from . import changes, keys, orders, stock
from .effects import check_effects
from .mailbox import check_mailbox
from .ordering import check_order
from .outboxes import OutboxRow, check_drained, load_events, load_rows
from .outcome import Outcome, SqlRule
from .publishing import (
    check_committed,
    check_lag,
    check_letters,
    check_published,
    find_unknown,
)
from .streams import Streams, read_streams

SQL_RULES: tuple[SqlRule, ...] = (*stock.RULES, *orders.RULES, *changes.RULES, *keys.RULES)
_SWEEPER_GRACE = 30.0
_RETENTION, _RESERVATION_TTL = 7 * 86_400.0, 60.0


@dataclass(frozen=True)
class Limits:
    """What the services' settings say: how long outboxes keep an event, and what is an orphan."""

    retention: float
    orphan_age: float
    doubled_mails: int = 0

    @classmethod
    def read(cls, target: Target, doubled_mails: int = 0) -> "Limits":
        settings: Mapping[str, str] = {**environment(), **(target.info or {}).get("env", {})}
        retention = float(settings.get("OUTBOX_RETENTION") or _RETENTION)
        ttl = float(settings.get("RESERVATION_TTL") or _RESERVATION_TTL)
        return cls(retention, ttl + _SWEEPER_GRACE, doubled_mails)


def audit(target: Target, console: Console, limits: Limits) -> list[Outcome]:
    """Raises StackAway."""
    since = time.time() - limits.retention
    with open_snapshots(target) as connection:
        with connection.transaction():
            console.progress("reading the databases")
            parameters = {"retention": limits.retention, "orphan_age": limits.orphan_age}
            found = [rule.check(connection, parameters) for rule in SQL_RULES]
            rows = load_rows(connection)
            streams = read_topics(target, rows, console)
            found.append(check_effects(connection, streams.letters.discarded))
        committed = asyncio.run(read_committed(target.kafka))
        found += _check_topics(connection, rows, streams, since)
        found += [check_lag(committed, streams), check_letters(streams.letters)]
    console.progress("reading the mails")
    found.append(
        check_mailbox(
            target.mailhog,
            limits.doubled_mails,
            lambda number: console.progress(f"reading the mails: {number}"),
        )
    )
    return found


def read_topics(target: Target, rows: list[OutboxRow], console: Console) -> Streams:
    def progress(number: int) -> None:
        if number % 1000 == 0:
            console.progress(f"reading the topics: {number} messages")

    return asyncio.run(read_streams(target.kafka, rows, progress))


def _check_topics(
    connection: Connection, rows: list[OutboxRow], streams: Streams, since: float
) -> Iterator[Outcome]:
    """What was published after the snapshot has its row by now."""
    yield check_drained(rows)
    yield check_published(rows, streams)
    yield check_order(rows, streams.messages)
    unknown = find_unknown(rows, streams, since)
    if ids := [message.event_id for message in unknown if message.event_id]:
        unknown = find_unknown([*rows, *load_events(connection, ids)], streams, since)
    yield check_committed(unknown, len(streams.messages))


@contextmanager
def open_snapshots(target: Target) -> Iterator[Connection]:
    """Each transaction on it sees one state of all schemas, and can change nothing."""
    with open_database(target) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection
