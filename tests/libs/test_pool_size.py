"""DATABASE_POOL_SIZE is what a process takes, whatever it does."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.db import Database
from libs.sql import run
from libs.unit_of_work import Statements
from tests.support.database import Query
from tests.support.databases import open_database

_COUNT = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"


WAYS = ("autocommit", "transaction", "expressions", "session")


@pytest.mark.parametrize(("size", "connections"), [(8, 8), (5, 5), (2, 2), (1, 2)])
async def test_all_ways_to_use_it_together_take_no_more_than_the_pool_size(
    postgres_dsn: str, query: Query, size: int, connections: int
) -> None:
    name = f"pool-of-{size}"
    async with open_database(postgres_dsn, name, database_pool_size=size) as database:
        await asyncio.gather(*(_work(database, way) for way in WAYS for _ in range(2 * size)))
        assert await query(_COUNT, name) == [(connections,)]


async def test_who_gets_no_connection_in_time_is_told_so_and_takes_none(postgres_dsn: str) -> None:
    changes: dict[str, Any] = {"database_pool_size": 2, "database_pool_timeout": 0.05}
    async with open_database(postgres_dsn, **changes) as database:
        async with database.transaction() as first:
            await run(first, "SELECT 1")
            with pytest.raises(PoolTimeout):
                await _work(database, "transaction")
        await _work(database, "transaction")


async def _work(database: Database, way: str) -> None:
    async with getattr(database, way)() as reader:
        if isinstance(reader, Statements):
            await run(reader, "SELECT pg_sleep(0.05)")
        else:
            await reader.execute(text("SELECT pg_sleep(0.05)"))
