"""Finds published events that their broker has lost."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from .config import DatabaseSettings
from .kafka import REQUEST_TIMEOUT_MS, check_alive, close_client
from .letter_format import is_dead_letter_topic
from .outbox_rows import OutboxRows, Position

_READ_SECONDS = 1.0
_PATIENT_READ_SECONDS = 5.0
_LIMIT = 15.0


class TopicWatch:
    """A message counts as there when it is ours by its content, not by its offset alone: a topic
    that was made anew may hold other messages at the places of those that are lost.
    """

    def __init__(self, settings: DatabaseSettings, rows: OutboxRows) -> None:
        self._rows = rows
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            fetch_max_wait_ms=settings.kafka_fetch_max_wait_ms,
        )
        self._confirmed: dict[Position, tuple[int, int]] = {}

    async def start(self) -> None:
        await self._consumer.start()

    async def stop(self) -> None:
        await close_client(self._consumer)

    async def find_lost(self, highest: Mapping[Position, int]) -> dict[Position, int]:
        """The first lost offset of each partition that no longer has our highest one.

        The message itself is read: the topic's end alone says little of some brokers. Tansu counts
        the last batch as one message, and a topic that it made anew keeps its old end.
        """
        async with asyncio.timeout(_LIMIT):
            partitions = [TopicPartition(*position) for position in highest]
            begins = await self._consumer.beginning_offsets(partitions)
            ends = await self._consumer.end_offsets(partitions)
            unsure = {
                (p.topic, p.partition): highest[p.topic, p.partition]
                for p in partitions
                if begins[p] <= highest[p.topic, p.partition]  # else the topic keeps it no longer
                and self._confirmed.get((p.topic, p.partition))
                != (highest[p.topic, p.partition], ends[p])
            }
            there = await self._read_ours(unsure, ends)
        lost = {}
        for position, offset in unsure.items():
            end = ends[TopicPartition(*position)]
            if position not in there:
                lost[position] = await self.find_begin_of_loss(position, min(end, offset))
            elif not is_dead_letter_topic(position[0]):
                self._confirmed[position] = (offset, end)
        return lost

    async def find_begin_of_loss(self, position: Position, at: int) -> int:
        """`at`, for a topic that lost its end and still has what was before it; else 0.

        Dead-letter topics have several writers, so there the places tell nothing.
        """
        if at == 0 or is_dead_letter_topic(position[0]):
            return 0
        async with asyncio.timeout(_LIMIT):
            records = await self._read({position: at - 1}, _READ_SECONDS)
            return at if await self._ours(records) else 0

    async def _read_ours(
        self, offsets: Mapping[Position, int], ends: Mapping[TopicPartition, int]
    ) -> set[Position]:
        """Those whose message at that offset is there, and ours; a slow answer gets more time."""
        records = await self._read(offsets, _READ_SECONDS)
        slow = {
            position: offset
            for position, offset in offsets.items()
            if position not in records and ends[TopicPartition(*position)] > offset
        }
        records |= await self._read(slow, _PATIENT_READ_SECONDS)
        return await self._ours(records)

    async def _ours(self, records: Mapping[Position, ConsumerRecord]) -> set[Position]:
        return {p for p, record in records.items() if await self._rows.holds(record)}

    async def _read(
        self, offsets: Mapping[Position, int], limit: float
    ) -> dict[Position, ConsumerRecord]:
        """The first message from each offset on, of those that show one within the limit."""
        found: dict[Position, ConsumerRecord] = {}
        wanted = {TopicPartition(*position): offset for position, offset in offsets.items()}
        deadline = time.monotonic() + limit
        while wanted and (left := deadline - time.monotonic()) > 0:
            for partition, records in (await self._fetch(wanted, left)).items():
                record = next((r for r in records if r.offset >= wanted[partition]), None)
                if record:
                    found[partition.topic, partition.partition] = record
                    del wanted[partition]
        return found

    async def _fetch(
        self, wanted: dict[TopicPartition, int], limit: float
    ) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        """One answer; partitions that end before their offset are taken out of `wanted`."""
        self._consumer.assign(list(wanted))
        for partition, offset in wanted.items():
            self._consumer.seek(partition, offset)
        try:
            batches: Mapping[TopicPartition, Sequence[ConsumerRecord]]
            batches = await self._consumer.getmany(timeout_ms=int(limit * 1000) + 1)
            check_alive(self._consumer)  # else what it can't fetch would count as lost
        except OffsetOutOfRangeError as error:
            for partition in error.args[0]:
                del wanted[partition]
            return {}
        else:
            return batches
        finally:
            self._consumer.unsubscribe()
