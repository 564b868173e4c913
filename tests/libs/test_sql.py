"""Constant statements: their errors are SQLAlchemy's, and no odd connection is used again."""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

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


async def test_a_failed_statement_that_is_passed_over_is_no_commit(database: Database) -> None:
    """Postgres would answer the COMMIT with a rollback, and without an error."""
    with pytest.raises(RuntimeError, match="failed"):
        await _pass_over(database, "SELECT 1 / 0")


async def test_nothing_is_done_on_another_connection_after_one_is_lost(database: Database) -> None:
    lose = "SELECT pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(RuntimeError, match="lost the connection"):
        await _pass_over(database, lose)
    with pytest.raises(RuntimeError, match="lost the connection"):
        await _pass_over(database, lose, then="SELECT 1")


async def _pass_over(database: Database, statement: str, then: str = "") -> None:
    async with database.transaction() as transaction:
        with suppress(DBAPIError):
            await run(transaction, statement)
        if then:
            await run(transaction, then)


async def test_a_plan_made_for_an_empty_table_goes_by_its_index(database: Database) -> None:
    """It is kept until the table is analysed, a minute of orders later."""
    async with database.transaction() as transaction:
        texts = ", ".join(f"text_{number} text" for number in range(12))
        make = f"CREATE TABLE pg_temp.things (id bigint PRIMARY KEY, size int, {texts})"
        await run(transaction, make)
        write = """EXPLAIN UPDATE pg_temp.things t SET size = v.size
                   FROM unnest(%s::bigint[], %s::int[]) AS v (id, size) WHERE t.id = v.id"""
        plan = await (await run(transaction, write, ([*range(10)],) * 2)).fetchall()
    assert "Index Scan using things_pkey" in str(plan), plan
