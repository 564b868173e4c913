"""The database: one engine a process, one transaction a unit of work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from sqlalchemy import DateTime, MetaData, func, make_url
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Mapped, mapped_column

from .config import DatabaseSettings
from .connections import RECYCLE_SECONDS, Connection, ConnectionPool, Eras
from .unit_of_work import Statements, Transaction

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


def driver_dsn(settings: DatabaseSettings) -> str:
    """POSTGRES_DSN as psycopg takes it."""
    url = make_url(settings.postgres_dsn).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


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


def by_index(options: dict[str, Any]) -> dict[str, Any]:
    """For connections whose statements all go by an index: a plan of when the table was small, or
    not analysed yet, reads all of it, and is kept until the next analysis. Up to Postgres 17 what
    is switched off counts as very dear, and dear plans are compiled: off too."""
    return options | {"options": f"{options['options']} -c enable_seqscan=off -c jit=off"}


class Database:
    """The connections of one process, and four ways to use them: two that are cheap, for
    `libs.sql`'s constant statements, and two for SQLAlchemy's objects and expressions."""

    def __init__(self, settings: DatabaseSettings, service: str) -> None:
        eras = Eras()
        for_sqlalchemy = max(1, settings.database_pool_size // 4)
        self._pool = ConnectionPool(
            partial(_connect, settings, service),
            eras,
            size=max(1, settings.database_pool_size - for_sqlalchemy),
            timeout=settings.database_pool_timeout,
        )
        self._engine = _make_engine(settings, service, pool_size=for_sqlalchemy)
        eras.watch(self._engine.sync_engine)
        self._readers = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        # Sessions expire nothing on commit, so no hidden I/O follows it.
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False, autoflush=False)
        self._limit = settings.transaction_timeout
        self._listeners: dict[str, Callable[[], None]] = {}

    def on_commit(self, queue: str, wake: Callable[[], None]) -> None:
        """Call `wake` after each commit of a transaction that has this one in its `queues`."""
        self._listeners[queue] = wake

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commits at the end of the block and rolls back on any error.

        The connection is taken at the first statement, so call other services before it.
        """
        async with asyncio.timeout(self._limit), _lent(Transaction(self._pool)) as transaction:
            yield transaction
            await transaction.commit()
        for queue in transaction.queues:
            if wake := self._listeners.get(queue):
                wake()

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[Statements]:
        """For statements that are each a transaction: one round trip instead of three.

        For reads, and for a change that is one statement and wakes nobody.
        """
        async with asyncio.timeout(self._limit), _lent(Statements(self._pool)) as statements:
            yield statements

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Like `transaction`, for objects; it tells of no event."""
        async with asyncio.timeout(self._limit), self._sessions() as session, session.begin():
            yield session

    @asynccontextmanager
    async def expressions(self) -> AsyncIterator[AsyncConnection]:
        """Like `autocommit`, for expressions."""
        async with asyncio.timeout(self._limit), self._readers.connect() as connection:
            yield connection

    async def close(self) -> None:
        await self._pool.close()
        await self._engine.dispose()


StatementsT = TypeVar("StatementsT", bound=Statements)


@asynccontextmanager
async def _lent(statements: StatementsT) -> AsyncIterator[StatementsT]:
    try:
        yield statements
    finally:
        await statements.release()


async def _connect(settings: DatabaseSettings, service: str) -> Connection:
    options = by_index(_pool_options(settings, service))
    return await Connection.connect(driver_dsn(settings), **options)


def _make_engine(settings: DatabaseSettings, service: str, *, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        settings.postgres_dsn,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout,
        pool_recycle=RECYCLE_SECONDS,
        hide_parameters=True,
        connect_args=_pool_options(settings, service),
    )


def _pool_options(settings: DatabaseSettings, service: str) -> dict[str, Any]:
    options = connection_options(settings)
    # Arrays look dear to the planner, so it would plan some statements anew each time. Where a
    # value matters (how old, how many), the statement has it as a literal.
    options["options"] += " -c plan_cache_mode=force_generic_plan"
    return options | {"application_name": service}


async def get_database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with (await get_database(request)).session() as session:
        yield session


async def get_expressions(request: Request) -> AsyncIterator[AsyncConnection]:
    async with (await get_database(request)).expressions() as connection:
        yield connection


DatabaseDep = Annotated[Database, Depends(get_database)]

# scope="function": the commit comes before the response is sent, so a failed one is never a 2xx.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
ExpressionsDep = Annotated[AsyncConnection, Depends(get_expressions, scope="function")]
