"""A look into the database, for what no door shows."""

from collections.abc import Awaitable, Callable
from typing import Any

import psycopg

Query = Callable[..., Awaitable[list[Any]]]


def make_query(dsn: str) -> Query:
    """`await query("SELECT ... %s", value)` returns the rows; each call commits by itself."""
    plain = dsn.replace("+psycopg", "")

    async def query(statement: str, *values: Any) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(plain, autocommit=True) as connection:
            cursor = await connection.execute(statement, values or None)
            return await cursor.fetchall() if cursor.description else []

    return query
