"""Constant statements straight to psycopg.

SQLAlchemy takes two to four times the CPU of the driver for a statement. For those of every order
that counts; for the others its expressions are the better way.
"""

from typing import Any

from psycopg.rows import DictRow, TupleRow, dict_row, tuple_row
from sqlalchemy import ClauseElement, inspect
from sqlalchemy.engine import make_url

from .unit_of_work import Cursor, Parameters, Statements

_DIALECT = make_url("postgresql+psycopg://").get_dialect()()


def table_name(table: type[Any]) -> str:
    """As it is written in a statement, with its schema."""
    mapped = inspect(table).local_table
    return f'"{mapped.schema}"."{mapped.name}"'


def column_type(table: type[Any], name: str) -> str:
    """As it is written in a cast."""
    return str(inspect(table).local_table.columns[name].type.compile(_DIALECT))


def compiled(statement: ClauseElement) -> str:
    """The text of an expression whose only values are named parameters."""
    return str(statement.compile(dialect=_DIALECT))


async def run(reader: Statements, statement: str, parameters: Parameters = ()) -> Cursor[TupleRow]:
    """Raises SQLAlchemy's DBAPIError."""
    return await reader.execute(statement, parameters, tuple_row)


async def fetch_one(
    reader: Statements, statement: str, parameters: Parameters = ()
) -> DictRow | None:
    """The first row, by column name."""
    return await (await reader.execute(statement, parameters, dict_row)).fetchone()


async def fetch_all(
    reader: Statements, statement: str, parameters: Parameters = ()
) -> list[DictRow]:
    """The rows, by column name."""
    return await (await reader.execute(statement, parameters, dict_row)).fetchall()
