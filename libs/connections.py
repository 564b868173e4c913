"""The connections of a process: one pool, straight to the driver, and when a connection is not to
be used again although it is open on our side."""

import asyncio
import select
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_ERA = "era"
_STALE_PLAN, _READ_ONLY = "0A000", "25006"
RECYCLE_SECONDS = 1800


class Era:
    """What the connections made at one time share."""

    over = False

    def end_if(self, error: BaseException | None) -> bool:
        """Whether `error` says that no connection of this time is to be used again.

        Its prepared statements return other types since a migration: no new try on it, nor on one
        of the same age, would go better. Or the server takes no changes, as one that was the
        primary until a failover: another connection may lead to the new one.
        """
        state = getattr(error, "sqlstate", None)
        ends = state == _READ_ONLY or (state == _STALE_PLAN and "cached plan" in str(error))
        self.over = self.over or ends
        return ends


class Eras:
    """Of one process: what one connection finds out counts for all of them."""

    def __init__(self) -> None:
        self._now = Era()

    def now(self) -> Era:
        if self._now.over:
            self._now = Era()
        return self._now

    def watch(self, engine: Engine) -> None:
        """Have SQLAlchemy's pool follow them too."""
        event.listen(engine, "connect", self._stamp)
        event.listen(engine, "checkout", _refuse_useless)
        event.listen(engine, "handle_error", _give_up)

    def _stamp(self, _connection: object, record: Any) -> None:
        record.info[_ERA] = self.now()


class Connection(psycopg.AsyncConnection[Any]):
    """One of a `ConnectionPool`."""

    era: Era
    recycle_at: float

    def is_useful(self) -> bool:
        """False also where the server has hung up: after a restart of the database no request
        fails on a connection of before. The socket says so, without a round trip."""
        return not (
            self.closed
            or self.era.over
            or time.monotonic() > self.recycle_at
            or _is_readable(self.fileno())
        )


Connect = Callable[[], Awaitable[Connection]]


class ConnectionPool:
    """Lends each connection to one unit of work at a time, the last one used first.

    SQLAlchemy's pool works through greenlets, which costs more than a short statement does.
    """

    def __init__(self, connect: Connect, eras: Eras, *, size: int, timeout: float) -> None:
        self._connect = connect
        self._eras = eras
        self._places = asyncio.Semaphore(size)
        self._timeout = timeout
        self._idle: list[Connection] = []

    async def take(self) -> Connection:
        """To be given back. Raises psycopg's error when the database is away, and SQLAlchemy's
        TimeoutError when no connection comes free in time."""
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        try:
            while self._idle:
                if (connection := self._idle.pop()).is_useful():
                    return connection
                await connection.close()
            era = self._eras.now()
            connection = await self._connect()
            connection.era, connection.recycle_at = era, time.monotonic() + RECYCLE_SECONDS
        except BaseException:
            self._places.release()
            raise
        return connection

    def give_back(self, connection: Connection) -> None:
        """One that is outside a transaction."""
        self._idle.append(connection)
        self._places.release()

    async def discard(self, connection: Connection) -> None:
        """One of which it is not known what it would answer next."""
        try:
            await connection.close()
        finally:
            self._places.release()

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._places.acquire()
        except TimeoutError:
            raise PoolTimeout("no connection to the database came free in time") from None


def _give_up(context: ExceptionContext) -> None:
    connection = context.connection
    if connection is not None and connection.info[_ERA].end_if(context.original_exception):
        context.is_disconnect = True


def _refuse_useless(connection: Any, record: Any, _proxy: object) -> None:
    if record.info[_ERA].over:
        raise DisconnectionError("the connection is of before a change in the database")
    if _is_readable(connection.driver_connection.fileno()):
        raise DisconnectionError("the server has closed the connection")


def _is_readable(socket: int) -> bool:
    if sys.platform == "win32":
        return bool(select.select([socket], [], [], 0)[0])
    poll = select.poll()  # select() can't watch a number above 1023
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
