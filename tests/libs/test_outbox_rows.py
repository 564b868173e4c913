"""What the relay asks of the outbox table."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from libs.outbox_rows import OutboxRows
from services.payment.app.models import outbox
from tests.support.database import Query
from tests.support.databases import migrated_database, open_database

from .samples import paid

POSITION = ("payment.events", 0)


@pytest.fixture
async def rows(stack: dict[str, Any], query: Query) -> AsyncIterator[OutboxRows]:
    """Four that wait, with the ids 1 to 4."""
    dsn = await migrated_database(stack, query, "payment")
    async with open_database(dsn) as database, database.transaction() as transaction:
        for order_id in range(1, 5):
            outbox.add(transaction, paid(order_id))
    plain = dsn.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(plain, autocommit=True) as connection:
        yield OutboxRows(connection, "payment")


async def _waiting(rows: OutboxRows) -> list[int]:
    return [row.id for row in await rows.fetch_waiting(10)]


async def test_lost_from_a_place_on_are_those_at_it_behind_it_and_at_an_unknown_one(
    rows: OutboxRows,
) -> None:
    """A broker that had a message already, from a try without an answer, need not say where."""
    await rows.mark_published([1, 2, 3], [0, 0, 0], [4, 5, None])
    await rows.mark_published([4], [1], [9])
    assert await _waiting(rows) == []
    assert await rows.unmark(POSITION, 5, keep=[]) == 2
    assert await _waiting(rows) == [2, 3]


async def test_those_that_were_published_just_now_are_kept(rows: OutboxRows) -> None:
    await rows.mark_published([1, 2, 3, 4], [0] * 4, [7, 8, None, None])
    assert await rows.unmark(POSITION, 0, keep=[2, 4]) == 2
    assert await _waiting(rows) == [1, 3]
