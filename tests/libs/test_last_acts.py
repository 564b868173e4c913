"""What was to come last in a transaction comes, all of it, however it was asked for."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from libs.db import Database, before_commit
from libs.sql import run
from services.payment.app.models import outbox
from tests.support.database import Query, make_query
from tests.support.databases import migrated_database, open_database

from .samples import paid


@pytest.fixture(scope="module")
async def dsn(stack: dict[str, str], query: Query) -> str:
    return await migrated_database(stack, query, "payment")


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    async with open_database(dsn) as database:
        yield database


@pytest.fixture
async def own(dsn: str) -> Query:
    own = make_query(dsn)
    await own("TRUNCATE payment.outbox")
    return own


def _add_event(session: AsyncSession, order_id: int) -> None:
    outbox.add(session, paid(order_id))


async def _order_ids(own: Query) -> list[int]:
    return [int(key) for (key,) in await own("SELECT key FROM payment.outbox ORDER BY id")]


async def test_an_event_that_a_last_act_adds_is_kept(database: Database, own: Query) -> None:
    async def add_another(session: AsyncSession) -> None:
        _add_event(session, 2)

    async with database.transaction() as session:
        _add_event(session, 1)
        before_commit(session, add_another)
    assert await _order_ids(own) == [1, 2]


async def test_an_event_is_kept_when_it_is_a_last_act_that_is_the_first_to_add_one(
    database: Database, own: Query
) -> None:
    async def add_one(session: AsyncSession) -> None:
        _add_event(session, 1)

    async with database.transaction() as session:
        before_commit(session, add_one)
    assert await _order_ids(own) == [1]


async def test_an_event_is_refused_in_a_savepoint_and_is_not_there_after_it(
    database: Database, own: Query
) -> None:
    async with database.transaction() as session:
        _add_event(session, 1)
        with pytest.raises(RuntimeError, match="savepoint"):
            async with session.begin_nested():
                _add_event(session, 2)
        async with session.begin_nested():
            await run(session, "SELECT 1")
    assert await _order_ids(own) == [1]


async def test_a_commit_of_ones_own_that_would_forget_an_event_fails(
    database: Database, own: Query
) -> None:
    with pytest.raises(RuntimeError, match="last acts"):
        await _commit_too_early(database)
    assert await _order_ids(own) == []


async def _commit_too_early(database: Database) -> None:
    async with database.transaction() as session:
        _add_event(session, 1)
        await session.commit()
