"""One pooled connection, straight to the driver, for as long as a unit of work takes.

SQLAlchemy's pool lends the connection; its session, which costs three times the driver's CPU, is
for the use cases that change objects (`Database.session`), not for those of every order.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn, cast

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import AsyncRowFactory
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from .connections import end_era

Parameters = Sequence[Any] | Mapping[str, Any]
Cursor = psycopg.AsyncCursor
LastAct = Callable[["Transaction"], Awaitable[None]]


class Statements:
    """The connection is taken at the first statement, and given back by `release`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._lent: PoolProxiedConnection | None = None
        self._lost = False

    async def execute(
        self, statement: str, parameters: Parameters, rows: AsyncRowFactory[Any]
    ) -> Cursor[Any]:
        """Raises SQLAlchemy's DBAPIError, or its TimeoutError when no connection comes free."""
        lent = self._lent or await self._connect()
        try:
            return (
                await _driver(lent).cursor(row_factory=rows).execute(statement.encode(), parameters)
            )
        except BaseException as error:
            await self._fail(lent, error)

    async def release(self, *, failed: bool) -> None:
        """Roll back what is not committed."""
        if (lent := self._lent) is None:
            return
        self._lent = None
        if failed:  # there is something to wait for, which no second cancellation may cut short
            await asyncio.shield(greenlet_spawn(lent.close))
        else:
            await greenlet_spawn(lent.close)

    async def _connect(self) -> PoolProxiedConnection:
        if self._lost:  # else what came before it would be missing, and nobody would know
            raise RuntimeError("a statement after the one that lost the connection")
        try:
            self._lent = await self._engine.raw_connection()
        except psycopg.Error as error:
            raise _translated(error, lost=True) from error
        return self._lent

    async def _fail(self, lent: PoolProxiedConnection, error: BaseException) -> NoReturn:
        """Keep the connection only when it is known what it would answer next."""
        cancelled = not isinstance(error, psycopg.Error)
        if cancelled or _driver(lent).closed or end_era(lent.info, error):
            self._lost, self._lent = True, None
            await greenlet_spawn(lent.invalidate, error)
        if cancelled:
            raise error
        raise _translated(error, lost=self._lost) from error


class Transaction(Statements):
    """Statements that take effect together at the commit, or not at all."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
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
        if (lent := self._lent) is None:
            if self._lost:
                raise RuntimeError("a commit after the statement that lost the connection")
            return
        if _driver(lent).info.transaction_status == TransactionStatus.INERROR:
            raise RuntimeError("a commit after a statement that failed")  # Postgres rolls back
        try:
            await _driver(lent).commit()
        except BaseException as error:
            await self._fail(lent, error)


def _driver(lent: PoolProxiedConnection) -> psycopg.AsyncConnection[Any]:
    return cast("psycopg.AsyncConnection[Any]", lent.driver_connection)


def _translated(error: BaseException, *, lost: bool) -> BaseException:
    return DBAPIError.instance(
        None, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=lost
    )
