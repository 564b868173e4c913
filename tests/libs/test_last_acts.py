"""What was to come last in a transaction comes, all of it, however it was asked for."""

from collections.abc import AsyncIterator

import pytest

from libs.db import Database
from libs.unit_of_work import Transaction
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


def _add_event(transaction: Transaction, order_id: int) -> None:
    outbox.add(transaction, paid(order_id))


async def _order_ids(own: Query) -> list[int]:
    return [int(key) for (key,) in await own("SELECT key FROM payment.outbox ORDER BY id")]


async def test_an_event_that_a_last_act_adds_is_kept(database: Database, own: Query) -> None:
    async def add_another(transaction: Transaction) -> None:
        _add_event(transaction, 2)

    async with database.transaction() as transaction:
        _add_event(transaction, 1)
        transaction.before_commit(add_another)
    assert await _order_ids(own) == [1, 2]


async def test_an_event_is_kept_when_it_is_a_last_act_that_is_the_first_to_add_one(
    database: Database, own: Query
) -> None:
    async def add_one(transaction: Transaction) -> None:
        _add_event(transaction, 1)

    async with database.transaction() as transaction:
        transaction.before_commit(add_one)
    assert await _order_ids(own) == [1]
