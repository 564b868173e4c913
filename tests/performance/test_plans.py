"""No statement that a service sends reads a big table from one end to the other.

The tables have enough rows, and fresh statistics, for Postgres to choose an index wherever there
is one that serves.
"""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.health import takes_part
from tests.support.market import Market
from tests.support.people import make_admin
from tests.support.waiting import eventually

from .conftest import Stand
from .statements import Connection, Recording, Statement, explain, record, whole_reads
from .traffic import use_everything

pytestmark = pytest.mark.usefixtures("filled")

BIG = 1000
"""Rows."""
COUNTS_ALL = re.compile(
    r"count\(\*\) AS count_1 FROM (catalog\.products WHERE catalog\.products\.active"
    r"( AND \(catalog\.products\.title_folded LIKE '%' .*)?"
    r"|\(SELECT .* FROM \"order\"\.orders\).*)$"
)
"""No index spares these: the total of a list without a filter, or of a text anywhere in a title,
which takes pg_trgm, and not every Postgres has that."""
LOOPS = {"outbox", "inbox", "orders", "reservations", "mails", "sessions", "idempotency_keys"}
"""Tables that a loop of some service goes through by itself."""
RESTARTED = ("auth", "order")


@pytest.fixture(scope="module")
async def connection(stand: Stand) -> AsyncIterator[Connection]:
    dsn = stand.info["postgres_dsn"].replace("+psycopg", "")
    own = await psycopg.AsyncConnection.connect(dsn, autocommit=True, application_name="plans")
    async with own:
        yield own


@pytest.fixture(scope="module")
async def big(connection: Connection, filled: object) -> set[str]:
    cursor = await connection.execute(
        "SELECT schemaname || '.' || relname FROM pg_stat_user_tables WHERE n_live_tup >= %s",
        (BIG,),
    )
    return {name for (name,) in await cursor.fetchall()}


@pytest.fixture(scope="module")
async def sent(stand: Stand, connection: Connection, filled: object) -> list[Statement]:
    """What services send while they start, work, and are asked for everything."""
    log = Path(stand.info["logs"]) / "postgres.log"
    key = {"X-Internal-Key": stand.info["env"]["SVC_INTERNAL_KEY"]}
    async with httpx.AsyncClient(base_url=stand.info["gateway"], timeout=30) as api:
        market = Market(await make_admin(api, key), key)
        async with record(connection, lambda: log.read_text(errors="replace")) as recording:
            await _restart(stand, api)
            await use_everything(market)
            await asyncio.to_thread(stand.audit)  # waits until the loops have nothing left to do
    return _of_services(recording, stand)


async def _restart(stand: Stand, api: httpx.AsyncClient) -> None:
    """Those with loops of every kind end and are started again, so that each has its turn now."""
    killed = {name: stand.pid(name) for name in RESTARTED}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)

    async def healthy() -> bool:
        answers = [await api.get(f"/{name}/health") for name in killed]
        new = all(stand.pid(name) != pid for name, pid in killed.items())
        return new and all(one.is_success and takes_part(one.json()) for one in answers)

    await eventually(healthy, within=60, what="services up again")


def _of_services(recording: Recording, stand: Stand) -> list[Statement]:
    names = {*stand.info["services"], *(f"{name}-relay" for name in stand.info["services"])}
    return [statement for statement in recording if statement.service in names]


async def _scans(
    connection: Connection, statements: Iterable[Statement], big: set[str]
) -> list[str]:
    found = []
    for statement in statements:
        scanned = whole_reads(await explain(connection, statement), big)
        if scanned and not COUNTS_ALL.search(str(statement)):
            found.append(f"{', '.join(sorted(scanned))} by {statement}")
    return found


async def test_no_statement_of_a_service_scans_a_big_table(
    connection: Connection, sent: list[Statement], big: set[str]
) -> None:
    assert await _scans(connection, sent, big) == []


async def test_all_kinds_of_statement_are_looked_at(sent: list[Statement], big: set[str]) -> None:
    """Else the test above would hold of nothing."""
    text = " ".join(map(str, sent))
    assert len(sent) > 100
    assert [table for table in sorted(big) if table not in text.replace('"', "")] == []
    for loop in LOOPS:
        assert any(f".{loop}" in statement.text.replace('"', "") for statement in sent), loop


@pytest.mark.parametrize(
    ("index", "table"),
    [
        ('"order".ix_orders_user_id', "order.orders"),
        ("catalog.ix_products_created", "catalog.products"),
        ("notifications.ix_mails_queued", "notifications.mails"),
        ('"order".ix_outbox_position', "order.outbox"),
        ('"order".ix_outbox_published_at', "order.outbox"),
        ('"order".ix_inbox_received_at', "order.inbox"),
        ("payment.ix_payments_order_id", "payment.payments"),
    ],
)
async def test_an_index_that_is_missing_is_found(
    connection: Connection, sent: list[Statement], big: set[str], index: str, table: str
) -> None:
    async with connection.transaction(force_rollback=True):
        await connection.execute(f"DROP INDEX {index}".encode())
        found = await _scans(connection, sent, big)
    assert any(table in scan.partition(" by ")[0] for scan in found)
