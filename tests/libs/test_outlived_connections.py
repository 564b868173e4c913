"""Connections that a change in the database has made useless: given up, all of them at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, NamedTuple

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.config import DatabaseSettings
from libs.consumer import EventConsumer, _TransientFault
from libs.database_errors import database_unavailable
from libs.db import Database
from libs.errors import sqlstate
from libs.sql import run
from services.shipping.app.handlers import HANDLERS
from services.shipping.app.models import InboxMessage, outbox
from tests.support.database import Query, make_query
from tests.support.databases import create_database, migrated_database, open_database

from .samples import paid, record

POOL = 8
"""Of which a quarter are SQLAlchemy's."""
PREPARED_AFTER = 8
"""psycopg prepares a statement at its sixth time on a connection."""
_READ = "SELECT name FROM things"

Opened = Callable[[], AbstractAsyncContextManager[Any]]
Ask = Callable[[Any, str], Awaitable[Any]]
Act = Callable[[Any], Awaitable[None]] | None


@pytest.fixture(scope="module")
async def dsn(stack: dict[str, Any], query: Query) -> str:
    dsn = await create_database(stack, query)
    own = make_query(dsn)
    await own("CREATE TABLE things (name text)")
    await own("INSERT INTO things VALUES ('x')")
    return dsn


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    async with open_database(dsn, database_pool_size=POOL) as database:
        yield database


class Way(NamedTuple):
    """The kinds of unit that a statement can be sent in, and how."""

    reading: str
    changing: str
    ask: Ask

    def of(self, database: Database) -> tuple[Opened, Opened]:
        return getattr(database, self.reading), getattr(database, self.changing)


async def _by_sqlalchemy(reader: Any, statement: str) -> Any:
    return await reader.execute(text(statement))


WAYS = [
    pytest.param(Way("autocommit", "transaction", run), id="driver"),
    pytest.param(Way("expressions", "session", _by_sqlalchemy), id="sqlalchemy"),
]


async def _connect(opened: Opened, ask: Ask, number: int, act: Act = None) -> None:
    """Have so many connections open at once, each of which does `act`."""
    start = asyncio.Barrier(number)

    async def one() -> None:
        async with opened() as reader:
            await ask(reader, "SELECT 1")
            await start.wait()
            if act:
                await act(reader)

    await asyncio.gather(*(one() for _ in range(number)))


async def _prepare(ask: Ask, reader: Any) -> None:
    for _ in range(PREPARED_AFTER):
        await ask(reader, _READ)


async def _count_refusals(opened: Opened, ask: Ask) -> int:
    refused = 0
    for _ in range(2 * POOL):
        try:
            async with opened() as reader:
                await ask(reader, _READ)
        except DBAPIError as error:
            if not database_unavailable(error):
                raise
            refused += 1
    return refused


@pytest.mark.parametrize("way", WAYS)
async def test_a_widened_column_costs_one_statement_of_all_that_are_prepared(
    database: Database, dsn: str, way: Way
) -> None:
    for opened in way.of(database):
        await _connect(opened, way.ask, POOL // 4, partial(_prepare, way.ask))
    await make_query(dsn)("ALTER TABLE things ALTER name TYPE varchar(400)")
    try:
        assert sum([await _count_refusals(opened, way.ask) for opened in way.of(database)]) == 1
    finally:
        await make_query(dsn)("ALTER TABLE things ALTER name TYPE text")


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_takes_no_changes_any_more_is_connected_to_anew(
    database: Database, way: Way
) -> None:
    """As behind a name that leads to another server after a failover."""
    opened, _ = way.of(database)
    async with opened() as connection:
        await way.ask(connection, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    with pytest.raises(DBAPIError) as refused:
        await _add(opened, way)
    assert database_unavailable(refused.value)
    await _add(opened, way)


async def test_an_error_of_its_own_is_no_end_of_a_connection_whose_time_is_over(
    database: Database,
) -> None:
    """Else a conflict would be answered as a database that is away."""
    async with database.transaction() as one:
        await run(one, "SELECT 1")
        async with database.transaction() as other:
            await run(other, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        with pytest.raises(DBAPIError):
            async with database.transaction() as other:
                await run(other, "INSERT INTO things VALUES ('y')")
        with pytest.raises(DBAPIError) as failed:
            await run(one, "SELECT 1 / 0")
        assert not failed.value.connection_invalidated
        assert database_unavailable(failed.value) is None
        await one.release()


async def _add(opened: Opened, way: Way) -> None:
    async with opened() as connection:
        await way.ask(connection, "INSERT INTO things VALUES ('y')")


async def test_another_unsupported_statement_is_still_our_own_fault(database: Database) -> None:
    with pytest.raises(DBAPIError) as refused:
        async with database.transaction() as session:
            await run(session, "SELECT DISTINCT name FROM things FOR UPDATE")
    assert sqlstate(refused.value) == "0A000"
    assert database_unavailable(refused.value) is None


async def test_good_events_after_a_migration_take_effect_and_are_no_dead_letters(
    stack: dict[str, Any], query: Query
) -> None:
    """With more connections than an event has attempts, each with the old plan."""
    dsn = await migrated_database(stack, query, "shipping")
    own = make_query(dsn)
    async with open_database(dsn, database_pool_size=2 * POOL) as database:
        consumer = EventConsumer(
            DatabaseSettings(), database, handlers=HANDLERS, outbox=outbox, inbox=InboxMessage
        )
        await _connect(database.transaction, run, POOL)
        for number in range(POOL * PREPARED_AFTER):
            await _take(consumer, number + 1)
        await own("ALTER TABLE shipping.shipments ALTER carrier TYPE varchar(100)")
        await _take(consumer, 1000)
    assert await own("SELECT 1 FROM shipping.shipments WHERE order_id = 1000")
    assert not await own("SELECT 1 FROM shipping.outbox WHERE topic LIKE '%.dlq'")


async def _take(consumer: EventConsumer, order_id: int) -> None:
    """As the consumer's loop: what is away for now is tried again."""
    records = [record(paid(order_id), order_id)]
    try:
        await consumer._take(records)
    except _TransientFault:
        await consumer._take(records)
