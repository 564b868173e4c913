"""The event consumer of a service: each event takes effect once, and none is lost or in the way.

A batch is one transaction (claims, effects, events that follow from them); offsets are committed
after it, several times a second. When a batch fails, its records are taken one by one, so that a
bad one ends in the dead-letter topic by itself and a transient fault loses no one's place.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError

from .config import DatabaseSettings
from .consumer_place import Membership, Offsets, PlaceWatch, lag, measure, rewind
from .database_errors import database_unavailable
from .db import Database
from .dead_letters import DeadLetters
from .errors import Conflict, NotFound, Unavailable, sqlstate
from .events import Event, EventData, InvalidEvent, UnknownEventType, decode
from .inbox import InboxMixin, claim
from .kafka import REQUEST_TIMEOUT_MS, check_alive, close_client, ensure_topics
from .letter_format import is_for
from .logging import describe_error, fields, get_logger, request_id_var
from .loops import Backoff, Loop
from .metrics import EVENTS_CONSUMED
from .outbox import Outbox
from .unit_of_work import Transaction

log = get_logger(__name__)

Handler = Callable[[Transaction, Event[Any]], Awaitable[None]]
Handlers = Mapping[type[EventData], Handler]
Prepare = Callable[[Transaction, Sequence[Event[Any]]], Awaitable[None]]
"""Called with all new events of a batch before their handlers, to lock in one statement what they
are going to change."""

_BATCH = 100
_POLL_SECONDS = 1.0
_ASSIGNORS = (RangePartitionAssignor, RoundRobinPartitionAssignor)
"""By range all of an order's topics go to one member, so that members don't wait for each other's
locks. Both, since a group whose members have none in common falls apart: replicas of before offer
only the second.
"""
_ATTEMPTS = 3
"""Of a handler that fails on something unlisted, before its message goes to the dead letters."""


_HELD_UP = ("55P03", "57014", "40P01")
"""A lock that did not come in time, a statement that took too long, a deadlock."""
_MOST_HELD_UP = 3
"""Orders in a batch: each is waited for."""


class EventRefused(Exception):  # noqa: N818
    """Raised by a handler: this event can never take effect; it goes to the dead-letter topic.

    A use case's NotFound or Conflict says the same.
    """


class _TransientFault(Exception):  # noqa: N818
    """The message is fine, but something it needs is away: keep the place and try again."""


class EventConsumer:
    def __init__(
        self,
        settings: DatabaseSettings,
        database: Database,
        *,
        handlers: Handlers,
        outbox: Outbox,
        inbox: type[InboxMixin],
        prepare: Prepare | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._handlers = handlers
        self._prepare = prepare
        self._letters = DeadLetters(outbox, inbox)
        self._inbox = inbox
        self._service = outbox.service
        self._topics = sorted({data.topic for data in handlers})

    async def run(self, loop: Loop) -> None:
        with loop.waiting():
            await ensure_topics(self._settings, self._topics)
        consumer = self._make_consumer()
        offsets = Offsets(consumer)
        membership = Membership(self._settings.kafka_session_timeout_ms / 1000, offsets)
        consumer.subscribe(self._topics, listener=membership)
        try:
            with loop.waiting():
                async with asyncio.timeout(membership.limit):  # it waits for its first assignment
                    await consumer.start()
            await self._consume(consumer, membership, offsets, loop)
        finally:
            await offsets.close()
            await close_client(consumer)

    async def _consume(
        self, consumer: AIOKafkaConsumer, membership: Membership, offsets: Offsets, loop: Loop
    ) -> None:
        backoff, watch = Backoff(), PlaceWatch(offsets)
        while True:
            check_alive(consumer)
            with loop.waiting():
                wait = math.ceil(1000 * offsets.wait(_POLL_SECONDS))
                async with asyncio.timeout(membership.limit):  # a rebalance makes it wait longer
                    batches = await consumer.getmany(timeout_ms=wait, max_records=_BATCH)
            records = [record for batch in batches.values() for record in batch]
            try:
                await self._take(records)
            except _TransientFault as fault:
                rewind(consumer, records)
                loop.held_up(str(fault), lag=lag(await measure(consumer)))
                log.warning("waiting to take events", extra=fields(reason=str(fault)))
                await loop.sleep(backoff.next())
                continue
            backoff.reset()
            offsets.taken(records)
            await offsets.commit_due()
            distances = await measure(consumer)
            watch.start_over_where_lost(distances)
            loop.progressed(lag=lag(distances), partitions=len(consumer.assignment()))

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        if not records:
            return
        try:
            await self._apply(records)
        except Exception as error:
            slow = isinstance(error, TimeoutError) or sqlstate(error) in _HELD_UP
            if len(records) == 1 or not slow:  # of many, each by itself may be in time
                _raise_if_transient(error)
            await self._take_each(records)

    async def _take_each(self, records: Sequence[ConsumerRecord]) -> None:
        """Those of an order whose rows are held by someone else wait; the others go on."""
        held: dict[bytes | None, _TransientFault] = {}
        for record in records:
            if record.key in held:
                continue
            try:
                await self._take_one(record)
            except _TransientFault as fault:
                held[record.key] = fault
                if sqlstate(fault.__cause__) not in _HELD_UP or len(held) == _MOST_HELD_UP:
                    raise
        if held:
            raise next(iter(held.values()))

    async def _take_one(self, record: ConsumerRecord) -> None:
        reason = ""
        for attempt in range(_ATTEMPTS):
            await asyncio.sleep(0.1 * attempt)
            try:
                await self._apply([record])
            except (EventRefused, NotFound, Conflict) as refusal:
                reason = str(refusal)
                break
            except Exception as error:
                _raise_if_transient(error)
                log.error("handler failed", extra=fields(error=describe_error(error)))
                reason = f"handler failed: {type(error).__name__}"
            else:
                return
        await self._bury(record, reason)

    async def _apply(self, records: Sequence[ConsumerRecord]) -> None:
        """Claim the events, let them take effect, and commit it all at once.

        Order by order, so that batches of two members lock orders that they share in one order;
        those of one order as they came.
        """
        events, buried = self._sort(records)
        if events or buried:
            async with self._database.transaction() as transaction:
                claimed = await claim(transaction, self._inbox, events)
                new = [event for event in events.values() if event.id in claimed]
                if new and self._prepare:
                    await self._prepare(transaction, new)
                for event in sorted(new, key=lambda event: event.data.order_id):
                    await self._handle(transaction, event)
                for record, reason in buried:
                    await self._add_letter(transaction, record, reason)
            self._count(events, claimed)

    def _sort(
        self, records: Sequence[ConsumerRecord]
    ) -> tuple[dict[UUID, Event[EventData]], list[tuple[ConsumerRecord, str]]]:
        """(the events that are for us, in order; what can't be read, and why)"""
        events: dict[UUID, Event[EventData]] = {}
        buried: list[tuple[ConsumerRecord, str]] = []
        ignored = 0
        for record in records:
            try:
                event = decode(record.value) if is_for(record, self._service) else None
            except InvalidEvent as invalid:
                buried.append((record, str(invalid)))
            except UnknownEventType:
                ignored += 1
            else:
                if event and type(event.data) in self._handlers:
                    events.setdefault(event.id, event)
                else:
                    ignored += 1
        self._counted("ignored", ignored)
        return events, buried

    async def _handle(self, transaction: Transaction, event: Event[EventData]) -> None:
        token = request_id_var.set(event.request_id)
        try:
            await self._handlers[type(event.data)](transaction, event)
        finally:
            request_id_var.reset(token)

    async def _bury(self, record: ConsumerRecord, reason: str) -> None:
        try:
            async with self._database.transaction() as transaction:
                await self._add_letter(transaction, record, reason)
        except Exception as error:
            _raise_if_transient(error)
            raise

    async def _add_letter(
        self, transaction: Transaction, record: ConsumerRecord, reason: str
    ) -> None:
        if await self._letters.add(transaction, record, reason):
            self._counted("dead_lettered", 1)

    def _count(self, events: Mapping[UUID, Event[EventData]], new: set[UUID]) -> None:
        self._counted("applied", len(new))
        self._counted("duplicate", len(events) - len(new))
        for event_id, event in events.items():
            if event_id not in new:
                log.info(
                    "event already had its effect",
                    extra=fields(event_id=event_id, type=event.data.type),
                )

    def _counted(self, outcome: str, number: int) -> None:
        if number:
            EVENTS_CONSUMED.labels(self._service, outcome).inc(number)

    def _make_consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka_bootstrap,
            client_id=self._service,
            group_id=self._service,
            partition_assignment_strategy=_ASSIGNORS,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._settings.kafka_fetch_max_wait_ms,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            session_timeout_ms=self._settings.kafka_session_timeout_ms,
            heartbeat_interval_ms=self._settings.kafka_session_timeout_ms // 3,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            metadata_max_age_ms=30_000,
        )


def _raise_if_transient(error: Exception) -> None:
    unavailable = error if isinstance(error, Unavailable) else database_unavailable(error)
    if unavailable or isinstance(error, ConnectionError | TimeoutError | KafkaError):
        reason = unavailable.detail if unavailable else type(error).__name__
        raise _TransientFault(reason) from error
