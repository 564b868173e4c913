"""The outbox relay: publishes committed rows in order, one replica of a service at a time."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import RecordMetadata
from psycopg import sql
from psycopg.rows import TupleRow, namedtuple_row
from sqlalchemy.engine import make_url

from .config import ServiceSettings
from .db import connection_options
from .kafka import dead_letter_topic, ensure_topics, make_producer
from .logging import fields, get_logger
from .loops import Loop
from .metrics import EVENTS_PUBLISHED

log = get_logger(__name__)

_BATCH = 500
_PUBLISH_LIMIT = 30.0
_LOSS_CHECK_SECONDS = 2.0

_FETCH: LiteralString = """
SELECT id, topic, key, value, headers,
       extract(epoch FROM clock_timestamp() - created_at)::float AS age
FROM {outbox} WHERE published_at IS NULL ORDER BY id LIMIT %s"""
_MARK: LiteralString = """
UPDATE {outbox} AS o SET published_at = now(), partition = v.partition, "offset" = v."offset"
FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS v(id, partition, "offset")
WHERE o.id = v.id"""
_HIGHEST: LiteralString = """
SELECT topic, partition, max("offset") FROM {outbox}
WHERE published_at IS NOT NULL GROUP BY topic, partition"""
_LOST: LiteralString = """
UPDATE {outbox} SET published_at = NULL
WHERE topic = %s AND partition = %s AND "offset" >= %s
  AND published_at IS NOT NULL AND NOT id = ANY(%s)"""


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
        self._outbox = sql.Identifier(service, "outbox")
        self._highest: dict[tuple[str, int], int] = {}
        self._checked_at = 0.0

    async def run(self, loop: Loop) -> None:
        async with self._connection() as connection:
            while not await self._become_leader(connection):
                loop.progressed(role="standby")
                if await loop.sleep(self._settings.outbox_poll_interval):
                    await connection.execute("SELECT pg_notify(%s, '')", (self._channel,))
            await self._lead(connection, loop)

    async def _lead(self, connection: psycopg.AsyncConnection[TupleRow], loop: Loop) -> None:
        await connection.execute(self._sql("LISTEN {channel}"))
        await ensure_topics(self._settings, self._topics)
        producer = make_producer(self._settings, self._service)
        watcher = AIOKafkaConsumer(bootstrap_servers=self._settings.kafka_bootstrap)
        try:
            await producer.start()
            await watcher.start()
            self._highest = await self._load_highest(connection)
            while True:
                await self._resend_lost(connection, watcher)
                age = await self._publish_waiting(connection, producer, loop)
                loop.progressed(role="leader", lag_seconds=round(age, 3))
                await self._wait(connection, loop)
        finally:
            await _close(watcher)
            await _close(producer)

    async def _publish_waiting(
        self,
        connection: psycopg.AsyncConnection[TupleRow],
        producer: AIOKafkaProducer,
        loop: Loop,
    ) -> float:
        """Publish until nothing waits; the age in seconds of the oldest row at the start."""
        oldest = 0.0
        while rows := await self._fetch(connection):
            oldest = max(oldest, rows[0].age)
            loop.progressed(lag_seconds=round(rows[0].age, 3))
            await self._publish(connection, producer, rows)
        return oldest

    async def _fetch(self, connection: psycopg.AsyncConnection[TupleRow]) -> list[Any]:
        async with connection.cursor(row_factory=namedtuple_row) as cursor:
            await cursor.execute(self._sql(_FETCH), (_BATCH,))
            return await cursor.fetchall()

    async def _publish(
        self,
        connection: psycopg.AsyncConnection[TupleRow],
        producer: AIOKafkaProducer,
        rows: list[Any],
    ) -> None:
        """Send the rows and mark those that the broker has; raises when any was refused."""
        async with asyncio.timeout(_PUBLISH_LIMIT):
            sends = [
                await producer.send(
                    row.topic,
                    row.value,
                    key=row.key,
                    headers=[(name, text.encode()) for name, text in row.headers.items()],
                )
                for row in rows
            ]
            await producer.flush()
            results = await asyncio.gather(*sends, return_exceptions=True)
        done = [
            (row.id, result)
            for row, result in zip(rows, results, strict=True)
            if isinstance(result, RecordMetadata)
        ]
        await self._mark(connection, done)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _mark(
        self,
        connection: psycopg.AsyncConnection[TupleRow],
        done: list[tuple[int, RecordMetadata]],
    ) -> None:
        ids = [row_id for row_id, _ in done]
        partitions = [sent.partition for _, sent in done]
        offsets = [sent.offset for _, sent in done]
        await connection.execute(self._sql(_MARK), (ids, partitions, offsets))
        EVENTS_PUBLISHED.labels(self._service).inc(len(done))
        lowest: dict[tuple[str, int], int] = {}
        for _, sent in done:
            key = (sent.topic, sent.partition)
            lowest[key] = min(lowest.get(key, sent.offset), sent.offset)
        for (topic, partition), offset in lowest.items():
            if offset <= self._highest.get((topic, partition), -1):
                await self._unmark(connection, topic, partition, offset, keep=ids)
                del self._highest[topic, partition]
        for _, sent in done:
            key = (sent.topic, sent.partition)
            self._highest[key] = max(self._highest.get(key, -1), sent.offset)

    async def _resend_lost(
        self, connection: psycopg.AsyncConnection[TupleRow], watcher: AIOKafkaConsumer
    ) -> None:
        """A topic shorter than what it had acknowledged has lost rows: mark them unpublished."""
        now = asyncio.get_running_loop().time()
        if now - self._checked_at < _LOSS_CHECK_SECONDS or not self._highest:
            return
        self._checked_at = now
        positions = [TopicPartition(topic, partition) for topic, partition in self._highest]
        ends = await watcher.end_offsets(positions)
        for position, end in ends.items():
            if end <= self._highest[position.topic, position.partition]:
                await self._unmark(connection, position.topic, position.partition, end, keep=[])
                self._highest[position.topic, position.partition] = end - 1

    async def _unmark(
        self,
        connection: psycopg.AsyncConnection[TupleRow],
        topic: str,
        partition: int,
        first_lost: int,
        *,
        keep: list[int],
    ) -> None:
        cursor = await connection.execute(self._sql(_LOST), (topic, partition, first_lost, keep))
        log.warning(
            "the broker lost published events; sending them again",
            extra=fields(topic=topic, partition=partition, rows=cursor.rowcount),
        )

    async def _wait(self, connection: psycopg.AsyncConnection[TupleRow], loop: Loop) -> None:
        """Until a commit here, a NOTIFY from another replica, or the poll interval."""
        events = asyncio.get_running_loop()
        events.add_reader(connection.fileno(), loop.wake)
        try:
            await loop.sleep(self._settings.outbox_poll_interval)
        finally:
            events.remove_reader(connection.fileno())

    async def _load_highest(
        self, connection: psycopg.AsyncConnection[TupleRow]
    ) -> dict[tuple[str, int], int]:
        cursor = await connection.execute(self._sql(_HIGHEST))
        return {(topic, partition): offset for topic, partition, offset in await cursor.fetchall()}

    async def _become_leader(self, connection: psycopg.AsyncConnection[TupleRow]) -> bool:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (self._lock,))
        row = await cursor.fetchone()
        return bool(row and row[0])

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[TupleRow]]:
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

    def _sql(self, statement: LiteralString) -> sql.Composed:
        return sql.SQL(statement).format(outbox=self._outbox, channel=sql.Identifier(self._channel))


async def _close(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(5):
            await client.stop()
    except Exception as error:
        log.warning("closing a Kafka client failed", extra=fields(error=type(error).__name__))


__all__ = ["OutboxRelay", "dead_letter_topic"]
