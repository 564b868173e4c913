"""The outbox relay: publishes committed rows in order, one replica of a service at a time."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg
from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata
from psycopg import sql
from psycopg.rows import TupleRow
from sqlalchemy.engine import make_url

from .config import ServiceSettings
from .db import connection_options
from .kafka import ensure_topics, make_producer
from .logging import fields, get_logger
from .loops import Loop
from .metrics import EVENTS_PUBLISHED
from .outbox_rows import OutboxRows, Position, WaitingRow
from .topic_watch import TopicWatch

log = get_logger(__name__)

_BATCH = 500
_PUBLISH_LIMIT = 30.0
_LOSS_CHECK_SECONDS = 2.0

Connection = psycopg.AsyncConnection[TupleRow]


class OutboxRelay:
    """Publishes a service's outbox.

    The leader holds a Postgres advisory lock on the very connection that it reads and marks
    rows with: a leader that was cut off can't read its next batch, so it can't publish beside
    its successor. Other replicas wait for the lock and pass their commits' wake-ups on to the
    leader by NOTIFY.
    """

    def __init__(self, settings: ServiceSettings, service: str, topics: tuple[str, ...]) -> None:
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
        await ensure_topics(self._settings, self._topics)
        producer = make_producer(self._settings, self._service)
        watch = TopicWatch(self._settings)
        try:
            await producer.start()
            await watch.start()
            rows = OutboxRows(connection, self._service)
            publisher = _Publisher(rows, producer, watch, self._service)
            await publisher.start()
            while True:
                await publisher.resend_lost()
                age = await publisher.publish_waiting(loop)
                loop.progressed(role="leader", lag_seconds=round(age, 3))
                await self._wait(connection, loop)
        finally:
            await _close(watch)
            await _close(producer)

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
        """A connection of the relay's own, outside the pool: it carries the lock."""
        url = make_url(self._settings.postgres_dsn).set(drivername="postgresql")
        connection = await psycopg.AsyncConnection.connect(
            url.render_as_string(hide_password=False),
            autocommit=True,
            application_name=f"{self._service}-relay",
            **connection_options(self._settings),
        )
        try:
            yield connection
        finally:
            await connection.close()


class _Publisher:
    """What a leader does with the rows."""

    def __init__(
        self, rows: OutboxRows, producer: AIOKafkaProducer, watch: TopicWatch, service: str
    ) -> None:
        self._rows = rows
        self._producer = producer
        self._watch = watch
        self._service = service
        self._highest: dict[Position, int] = {}
        self._checked_at = 0.0

    async def start(self) -> None:
        self._highest = await self._rows.load_highest()

    async def publish_waiting(self, loop: Loop) -> float:
        """Publish until nothing waits; the age in seconds of the oldest row at the start."""
        oldest = 0.0
        while waiting := await self._rows.fetch_waiting(_BATCH):
            oldest = max(oldest, waiting[0].age)
            loop.progressed(lag_seconds=round(waiting[0].age, 3))
            await self._publish(waiting)
            loop.checkpoint()
        return oldest

    async def _publish(self, waiting: Sequence[WaitingRow]) -> None:
        """Send the rows and mark those that the broker has; raises when any was refused."""
        async with asyncio.timeout(_PUBLISH_LIMIT):
            sends = [
                await self._producer.send(
                    row.topic,
                    row.value,
                    key=row.key,
                    headers=[(name, text.encode()) for name, text in row.headers.items()],
                )
                for row in waiting
            ]
            await self._producer.flush()
            results = await asyncio.gather(*sends, return_exceptions=True)
        published = [
            (row.id, result)
            for row, result in zip(waiting, results, strict=True)
            if isinstance(result, RecordMetadata)
        ]
        await self._mark(published)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _mark(self, published: Sequence[tuple[int, RecordMetadata]]) -> None:
        ids = [row_id for row_id, _ in published]
        offsets = [sent.offset if sent.offset >= 0 else None for _, sent in published]
        await self._rows.mark_published(ids, [sent.partition for _, sent in published], offsets)
        EVENTS_PUBLISHED.labels(self._service).inc(len(published))
        seen: dict[Position, list[int]] = {}
        for _, sent in published:
            if sent.offset >= 0:  # a broker that has the message already may not say where
                seen.setdefault((sent.topic, sent.partition), []).append(sent.offset)
        for position, given in seen.items():
            if min(given) <= self._highest.get(position, -1):
                await self._resend(position, min(given), keep=ids)
            self._highest[position] = max(given)

    async def resend_lost(self) -> None:
        """Now and then: rows that the broker has acknowledged and lost are published again."""
        now = asyncio.get_running_loop().time()
        if not self._highest or now - self._checked_at < _LOSS_CHECK_SECONDS:
            return
        self._checked_at = now
        for position, first_lost in (await self._watch.find_lost(self._highest)).items():
            await self._resend(position, first_lost, keep=[])
            self._highest[position] = first_lost - 1

    async def _resend(self, position: Position, first_lost: int, *, keep: Sequence[int]) -> None:
        rows = await self._rows.unmark(position, first_lost, keep=keep)
        log.warning(
            "the broker lost published events; sending them again",
            extra=fields(topic=position[0], partition=position[1], rows=rows),
        )


async def _close(client: AIOKafkaProducer | TopicWatch) -> None:
    try:
        async with asyncio.timeout(5):
            await client.stop()
    except Exception as error:
        log.warning("closing a Kafka client failed", extra=fields(error=type(error).__name__))
