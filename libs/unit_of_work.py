"""One pooled connection, straight to the driver, for as long as a unit of work takes.

SQLAlchemy's session, which costs three times the driver's CPU, is for the use cases that change
objects (`Database.session`), not for those of every order.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import AsyncRowFactory
from sqlalchemy.exc import DBAPIError

from .connections import Connection, ConnectionPool

Parameters = Sequence[Any] | Mapping[str, Any]
Cursor = psycopg.AsyncCursor
LastAct = Callable[["Transaction"], Awaitable[None]]


class Statements:
    """The connection is taken at the first statement, and given back by `release`.

    Each statement is a transaction of its own.
    """

    _autocommit = True

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._connection: Connection | None = None
        self._lost = False

    async def execute(
        self, statement: str, parameters: Parameters, rows: AsyncRowFactory[Any]
    ) -> Cursor[Any]:
        """Raises SQLAlchemy's DBAPIError, or its TimeoutError when no connection comes free."""
        connection = self._connection or await self._connect()
        try:
            return await connection.cursor(row_factory=rows).execute(statement.encode(), parameters)
        except BaseException as error:
            await self._fail(connection, error)

    async def release(self) -> None:
        """Roll back what is not committed."""
        if (connection := self._connection) is None:
            return
        self._connection = None
        if connection.info.transaction_status == TransactionStatus.IDLE:
            self._pool.give_back(connection)
        else:  # there is something to wait for, which no second cancellation may cut short
            await asyncio.shield(self._roll_back(connection))

    async def _connect(self) -> Connection:
        if self._lost:  # else what came before it would be missing, and nobody would know
            raise RuntimeError("a statement after the one that lost the connection")
        try:
            connection = await self._pool.take()
        except psycopg.Error as error:
            raise _translated(error, lost=True) from error
        self._connection = connection
        if connection.autocommit != self._autocommit:
            await connection.set_autocommit(self._autocommit)
        return connection

    async def _fail(self, connection: Connection, error: BaseException) -> NoReturn:
        """Keep the connection only when it is known what it would answer next."""
        cancelled = not isinstance(error, psycopg.Error)
        if cancelled or connection.closed or connection.era.end_if(error):
            self._lost, self._connection = True, None
            await self._pool.discard(connection)
        if cancelled:
            raise error
        raise _translated(error, lost=self._lost) from error

    async def _roll_back(self, connection: Connection) -> None:
        try:
            await connection.rollback()
        except BaseException as error:
            await self._pool.discard(connection)
            if not isinstance(error, psycopg.Error):
                raise
        else:
            self._pool.give_back(connection)


class Transaction(Statements):
    """Statements that take effect together at the commit, or not at all."""

    _autocommit = False

    def __init__(self, pool: ConnectionPool) -> None:
        super().__init__(pool)
        self.pending: dict[Any, Any] = {}
        """What last acts are to do, each under a key of its own."""
        self.queues: set[str] = set()
        """Where this transaction adds work, so that their loops wake at the commit."""
        self._last_acts: dict[LastAct, None] = {}

    def before_commit(self, act: LastAct) -> None:
        """Have `act` run last in this transaction, once, however often it is asked for.

        For locks that several events of one batch need: taken there together, in one order, they
        can't make two transactions wait for each other. An act that is asked for again after it
        has run, by another one, runs again.
        """
        self._last_acts[act] = None

    async def commit(self) -> None:
        while self._last_acts:
            act = next(iter(self._last_acts))
            del self._last_acts[act]
            await act(self)
        if (connection := self._connection) is None:
            if self._lost:
                raise RuntimeError("a commit after the statement that lost the connection")
            return
        if connection.info.transaction_status == TransactionStatus.INERROR:
            raise RuntimeError("a commit after a statement that failed")  # Postgres rolls back
        try:
            await connection.commit()
        except BaseException as error:
            await self._fail(connection, error)


def _translated(error: BaseException, *, lost: bool) -> BaseException:
    return DBAPIError.instance(
        None, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=lost
    )
