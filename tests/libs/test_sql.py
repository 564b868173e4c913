"""Constant statements: their errors are SQLAlchemy's, and no odd connection is used again."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from libs.db import Database
from libs.sql import fetch_one, run
from tests.support.databases import open_database


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[Database]:
    async with open_database(postgres_dsn, database_pool_size=1, transaction_timeout=1) as database:
        yield database


async def _backend(database: Database) -> int:
    async with database.transaction() as session:
        found = await fetch_one(session, "SELECT pg_backend_pid() AS pid")
    assert found is not None
    pid: int = found["pid"]
    return pid


async def test_a_connection_is_used_again(database: Database) -> None:
    assert await _backend(database) == await _backend(database)


async def test_a_connection_whose_statement_was_cancelled_is_not(database: Database) -> None:
    before = await _backend(database)
    with pytest.raises(TimeoutError):
        async with database.transaction() as session:
            await run(session, "SELECT pg_sleep(5)")
    assert await _backend(database) != before


async def test_a_connection_that_the_server_has_ended_is_not(database: Database) -> None:
    before = await _backend(database)
    with pytest.raises(OperationalError) as ended:
        async with database.transaction() as session:
            await run(session, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert ended.value.connection_invalidated
    assert await _backend(database) != before


async def test_an_error_rolls_back_and_keeps_the_connection(database: Database) -> None:
    before = await _backend(database)
    with pytest.raises(IntegrityError):
        await _insert_twice(database)
    async with database.transaction() as session:
        gone = await fetch_one(session, "SELECT to_regclass('once') AS once")
    assert gone == {"once": None}
    assert await _backend(database) == before


async def _insert_twice(database: Database) -> None:
    async with database.transaction() as session:
        await run(session, "CREATE TEMP TABLE once (id int PRIMARY KEY)")
        await run(session, "INSERT INTO once VALUES (%s), (%s)", (1, 1))


async def test_statements_of_one_session_are_one_transaction(database: Database) -> None:
    async with database.transaction() as session:
        first = await fetch_one(session, "SELECT pg_current_xact_id()::text AS id")
        assert first == await fetch_one(session, "SELECT pg_current_xact_id()::text AS id")
