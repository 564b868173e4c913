"""Constant statements straight to psycopg, on a session's own connection.

SQLAlchemy takes two to four times the CPU of the driver for a statement. For those of every order
that counts; for the others its expressions are the better way.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import psycopg
from psycopg.rows import AsyncRowFactory, DictRow, TupleRow, dict_row, tuple_row
from sqlalchemy import ClauseElement, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from .connections import end_era
from .db import Reader

Parameters = Sequence[Any] | Mapping[str, Any]
Cursor = psycopg.AsyncCursor

_CONNECTION = "connection"
_DIALECT = make_url("postgresql+psycopg://").get_dialect()()


def table_name(table: type[Any]) -> str:
    """As it is written in a statement, with its schema."""
    mapped = inspect(table).local_table
    return f'"{mapped.schema}"."{mapped.name}"'


def compiled(statement: ClauseElement) -> str:
    """The text of an expression whose only values are named parameters."""
    return str(statement.compile(dialect=_DIALECT))


async def run(session: Reader, statement: str, parameters: Parameters = ()) -> Cursor[TupleRow]:
    """Raises SQLAlchemy's DBAPIError. What the session has loaded does not learn of a change."""
    return await _execute(session, statement, parameters, tuple_row)


async def fetch_one(session: Reader, statement: str, parameters: Parameters = ()) -> DictRow | None:
    """The first row, by column name."""
    return await (await _execute(session, statement, parameters, dict_row)).fetchone()


async def fetch_all(session: Reader, statement: str, parameters: Parameters = ()) -> list[DictRow]:
    """The rows, by column name."""
    return await (await _execute(session, statement, parameters, dict_row)).fetchall()


async def _execute(
    session: Reader, statement: str, parameters: Parameters, rows: AsyncRowFactory[Any]
) -> Cursor[Any]:
    connection = session if isinstance(session, AsyncConnection) else await _connection(session)
    known = connection.sync_connection
    assert known is not None
    driver = cast("psycopg.AsyncConnection[Any]", known.connection.driver_connection)
    cursor = driver.cursor(row_factory=rows)
    try:
        return await cursor.execute(statement.encode(), parameters)
    except psycopg.Error as error:
        if lost := driver.closed or end_era(known, error):
            await connection.invalidate(error)
        raise DBAPIError.instance(
            None, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=lost
        ) from error
    except BaseException as error:
        # Cancelled in the middle: nobody knows what the connection would answer next.
        await connection.invalidate(error)
        raise


async def _connection(session: AsyncSession) -> AsyncConnection:
    known: AsyncConnection | None = session.info.get(_CONNECTION)
    if known is None:
        known = session.info[_CONNECTION] = await session.connection()
    return known
