"""DATABASE_POOL_SIZE is what a process takes, whatever it does."""

import asyncio

import pytest

from libs.sql import run
from libs.unit_of_work import Statements
from tests.support.database import Query
from tests.support.databases import open_database

_COUNT = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"


@pytest.mark.parametrize(("size", "connections"), [(8, 8), (5, 5), (2, 2), (1, 2)])
async def test_reads_and_transactions_together_take_no_more_than_the_pool_size(
    postgres_dsn: str, query: Query, size: int, connections: int
) -> None:
    name = f"pool-of-{size}"
    async with open_database(postgres_dsn, name, database_pool_size=size) as database:

        async def read() -> None:
            async with database.autocommit() as connection:
                await _work(connection)

        async def write() -> None:
            async with database.transaction() as session:
                await _work(session)

        await asyncio.gather(*(act() for act in (read, write) for _ in range(2 * size)))
        assert await query(_COUNT, name) == [(connections,)]


async def _work(reader: Statements) -> None:
    await run(reader, "SELECT pg_sleep(0.05)")
