"""The database: one engine a process, one transaction a unit of work."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import DateTime, MetaData, event, func
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from .config import DatabaseSettings
from .connections import ConnectionGuard

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def schema_metadata(schema: str) -> MetaData:
    """The MetaData of a service: its tables live in the Postgres schema of its name."""
    return MetaData(schema=schema, naming_convention=_NAMING)


class CreatedAt:
    """Adds `created_at`, set by the database."""

    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), sort_order=90
    )


def connection_options(settings: DatabaseSettings) -> dict[str, Any]:
    """libpq options: no statement, lock or idle transaction without a limit; dead peers noticed."""
    milliseconds = int(settings.database_statement_timeout * 1000)
    return {
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
        f" -c idle_in_transaction_session_timeout={2 * milliseconds} -c timezone=UTC",
    }


class Database:
    """The pools of one process. Sessions expire nothing on commit, so no hidden I/O follows it."""

    def __init__(self, settings: DatabaseSettings, service: str) -> None:
        guard = ConnectionGuard()
        readers = settings.database_pool_size // 2
        self._engine = _make_engine(
            settings, service, guard, pool_size=settings.database_pool_size - readers
        )
        # Of its own, since to switch a connection there and back is half the cost of a read.
        self._readers = _make_engine(
            settings, service, guard, pool_size=max(1, readers), isolation_level="AUTOCOMMIT"
        )
        self._sessions = async_sessionmaker(
            self._engine, sync_session_class=_Session, expire_on_commit=False, autoflush=False
        )
        self._limit = settings.transaction_timeout
        self._listeners: dict[str, Callable[[], None]] = {}

    def on_commit(self, queue: str, wake: Callable[[], None]) -> None:
        """Call `wake` after each commit of a transaction that said `enqueued(session, queue)`."""
        self._listeners[queue] = wake

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session that commits at the end of the block and rolls back on any error.

        The connection is taken at the first query, so call other services before it.
        """
        async with asyncio.timeout(self._limit), self._sessions() as session, session.begin():
            yield session
            await _act_last(session)
        for queue in session.info.get(_QUEUES, ()):
            if wake := self._listeners.get(queue):
                wake()

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements are each a transaction: one round trip instead of three.

        For reads, and for a change that is one statement and wakes nobody.
        """
        async with asyncio.timeout(self._limit), self._readers.connect() as connection:
            yield connection

    async def close(self) -> None:
        await self._engine.dispose()
        await self._readers.dispose()


def _make_engine(
    settings: DatabaseSettings, service: str, guard: ConnectionGuard, **options: Any
) -> AsyncEngine:
    engine = create_async_engine(
        settings.postgres_dsn,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args=connection_options(settings) | {"application_name": service},
        **options,
    )
    guard.watch(engine.sync_engine)
    return engine


_QUEUES = "queues"


def enqueued(session: AsyncSession, queue: str) -> None:
    """Say that this transaction adds work to `queue`, so that its loop wakes at the commit."""
    session.info.setdefault(_QUEUES, set()).add(queue)


_LAST_ACTS = "last acts"
LastAct = Callable[[AsyncSession], Awaitable[None]]


def before_commit(session: AsyncSession, act: LastAct) -> None:
    """Have `act` run last in this transaction, once, however often it is asked for.

    For locks that several events of one batch need: taken there together, in one order, they
    can't make two transactions wait for each other. An act that is asked for again after it has
    run, by another one, runs again. Call this before keeping what `act` is to do: in a savepoint
    it raises, since rolling that back would not undo what is kept.
    """
    if session.in_nested_transaction():
        raise RuntimeError("what a savepoint's rollback undoes would be done all the same")
    session.info.setdefault(_LAST_ACTS, {})[act] = None


async def _act_last(session: AsyncSession) -> None:
    acts: dict[LastAct, None] = session.info.get(_LAST_ACTS, {})
    while acts:
        act = next(iter(acts))
        del acts[act]
        await act(session)


class _Session(Session):
    """Never commits past the acts that were to come before."""


@event.listens_for(_Session, "before_commit")
def _refuse_to_forget(session: Session) -> None:
    if session.info.get(_LAST_ACTS) and not session.in_nested_transaction():
        raise RuntimeError("a commit before this transaction's last acts")


async def get_database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    async with database.transaction() as session:
        yield session


async def get_reader(request: Request) -> AsyncIterator[AsyncConnection]:
    database: Database = request.app.state.database
    async with database.autocommit() as connection:
        yield connection


Reader = AsyncSession | AsyncConnection
"""What a use case takes that only reads columns."""

DatabaseDep = Annotated[Database, Depends(get_database)]

# scope="function": the commit comes before the response is sent, so a failed one is never a 2xx.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
ReaderDep = Annotated[AsyncConnection, Depends(get_reader, scope="function")]
