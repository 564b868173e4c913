"""The outbox relay: publishes committed rows in order, one replica of a service at a time."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from .config import DatabaseSettings
from .db import by_index, connection_options, driver_dsn
from .kafka import close_client, ensure_topics, make_producer
from .loops import Loop
from .outbox_rows import OutboxRows
from .publisher import PUBLISH_LIMIT, Publisher
from .topic_watch import TopicWatch

_START_LIMIT = 15.0
_IDLE_SESSION_SLACK = PUBLISH_LIMIT + 10

Connection = psycopg.AsyncConnection[TupleRow]


class OutboxRelay:
    """Publishes a service's outbox.

    The leader holds a Postgres advisory lock on the very connection that it reads and marks
    rows with: a leader that was cut off can't read its next batch, so it can't publish beside
    its successor. Other replicas wait for the lock and pass their commits' wake-ups on to the
    leader by NOTIFY.
    """

    def __init__(self, settings: DatabaseSettings, service: str, topics: tuple[str, ...]) -> None:
        self._settings = settings
        self._service = service
        self._topics = topics
        self._lock = zlib.crc32(f"outbox:{service}".encode())
        self._channel = f"outbox_{service}"

    async def run(self, loop: Loop) -> None:
        async with self._connection() as connection:
            while not await self._become_leader(connection):
                loop.progressed(role="standby")
                if await loop.sleep(self._settings.outbox_poll_interval):
                    await connection.execute("SELECT pg_notify(%s, '')", (self._channel,))
            await self._lead(connection, loop)

    async def _lead(self, connection: Connection, loop: Loop) -> None:
        listen = sql.SQL("LISTEN {}").format(sql.Identifier(self._channel))
        await connection.execute(listen)
        with loop.waiting():
            partitions = await ensure_topics(self._settings, self._topics)
        producer = make_producer(self._settings, self._service)
        rows = OutboxRows(connection, self._service)
        watch = TopicWatch(self._settings, rows)
        try:
            with loop.waiting():
                async with asyncio.timeout(_START_LIMIT):
                    await producer.start()
                    await watch.start()
            publisher = Publisher(rows, producer, watch, self._service)
            await publisher.start(partitions)
            while True:
                with loop.waiting():
                    await publisher.resend_lost()
                age = await publisher.publish_waiting(loop)
                loop.progressed(role="leader", lag_seconds=round(age, 3))
                await self._wait(connection, loop)
        finally:
            await watch.stop()
            await close_client(producer)

    async def _wait(self, connection: Connection, loop: Loop) -> None:
        """Until a commit here, a NOTIFY from another replica, or the poll interval."""
        events = asyncio.get_running_loop()
        events.add_reader(connection.fileno(), loop.wake)
        try:
            await loop.sleep(self._settings.outbox_poll_interval)
        finally:
            events.remove_reader(connection.fileno())

    async def _become_leader(self, connection: Connection) -> bool:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (self._lock,))
        row = await cursor.fetchone()
        return bool(row and row[0])

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection of the relay's own, outside the pool: it carries the lock.

        The server ends it, and with it the leadership, when its process has frozen.
        """
        connection = await psycopg.AsyncConnection.connect(
            driver_dsn(self._settings),
            autocommit=True,
            application_name=f"{self._service}-relay",
            **by_index(connection_options(self._settings)),
        )
        try:
            idle = min(self._settings.outbox_poll_interval + _IDLE_SESSION_SLACK, 86_400)
            await connection.execute(sql.SQL(f"SET idle_session_timeout = '{idle:.0f}s'"))
            yield connection
        finally:
            await connection.close()
