"""`scripts/fill.py` as a user calls it."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from libs.events import EVENT_TYPES, decode
from tests.support.scripts import Done

from .conftest import CUSTOMERS, ORDERS, PRODUCTS, SIZE, Stand

Value = Callable[[str], Any]

_ONE_OF_EACH = sql.SQL(
    "SELECT DISTINCT ON (type) type, value, event_id, topic FROM {} ORDER BY type, id"
)


def test_it_says_what_there_is_then(filled: Done) -> None:
    assert filled.returncode == 0, filled.stderr
    assert f"{ORDERS:,} orders (0 were there)" in filled.stdout
    assert f"{PRODUCTS:,} products (0 were there)" in filled.stdout
    assert f"{CUSTOMERS:,} customers (0 were there)" in filled.stdout


@pytest.mark.usefixtures("filled")
def test_the_audit_holds_after_it(stand: Stand) -> None:
    assert stand.audit() == {}


@pytest.mark.usefixtures("filled")
def test_again_it_adds_nothing(stand: Stand, query: Value) -> None:
    mails = query("SELECT count(*) FROM notifications.mails")
    done = stand.run("fill.py", "--local", *SIZE)
    assert "nothing was missing" in done.stdout
    assert f"{ORDERS:,} orders ({ORDERS:,} were there)" in done.stdout
    assert query("SELECT count(*) FROM notifications.mails") == mails


@pytest.mark.usefixtures("filled")
def test_it_goes_on_from_where_it_was_stopped(stand: Stand, query: Value) -> None:
    more = ORDERS + 100
    done = stand.run("fill.py", "--local", *SIZE, "--orders", str(more))
    assert done.returncode == 0, done.stderr
    assert query("SELECT count(*) FROM \"order\".orders WHERE checkout_token LIKE 'fill-%'") == more
    assert stand.audit() == {}


@pytest.mark.usefixtures("filled")
def test_two_at_once_are_refused(stand: Stand) -> None:
    with psycopg.connect(stand.info["postgres_dsn"].replace("+psycopg", "")) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (0x66696C6C,))
        done = stand.run("fill.py", "--local", *SIZE)
    assert done.returncode == 1
    assert done.stderr == "Another fill.py is at work on this database\n"


@pytest.mark.usefixtures("filled")
def test_its_events_are_as_the_services_write_them(stand: Stand) -> None:
    with psycopg.connect(stand.info["postgres_dsn"].replace("+psycopg", "")) as connection:
        rows = [
            row
            for service in ("order", "payment", "shipping")
            for row in connection.execute(_ONE_OF_EACH.format(sql.Identifier(service, "outbox")))
        ]
    assert {name for name, *_ in rows} >= EVENT_TYPES.keys() - {"payment.failed"}
    for name, value, event_id, topic in rows:
        event = decode(value)
        assert (event.id, event.data.type, event.data.topic) == (event_id, name, topic)
