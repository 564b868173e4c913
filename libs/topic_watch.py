"""Finds published events that their broker has lost."""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from .config import ServiceSettings
from .kafka import REQUEST_TIMEOUT_MS
from .letter_format import is_dead_letter_topic
from .outbox_rows import Position

_READ_MS = 1000
_PATIENT_READ_MS = 5000
_LIMIT = 15.0


class TopicWatch:
    def __init__(self, settings: ServiceSettings, service: str) -> None:
        self._service = service
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
        await self._consumer.stop()

    async def find_lost(self, highest: Mapping[Position, int]) -> dict[Position, int]:
        """The first lost offset of each partition that no longer has our highest one."""
        async with asyncio.timeout(_LIMIT):
            partitions = [TopicPartition(*position) for position in highest]
            begins = await self._consumer.beginning_offsets(partitions)
            ends = await self._consumer.end_offsets(partitions)
            lost = {}
            for partition in partitions:
                position = (partition.topic, partition.partition)
                begin, end, ours = begins[partition], ends[partition], highest[position]
                if begin > ours:  # not lost: the topic keeps it no longer
                    continue
                if is_dead_letter_topic(partition.topic):
                    if not await self._has_letter(position, ours, end):
                        lost[position] = 0
                elif not await self._has(position, ours, end):
                    lost[position] = end if end <= ours else begin
            return lost

    async def _has_letter(self, position: Position, offset: int, end: int) -> bool:
        """Other services write there too, so the length says nothing: is that message ours?"""
        record = await self._read(position, offset)
        if record is None:
            return end > offset  # then it was only slow
        return dict(record.headers).get("consumer") == self._service.encode()

    async def _has(self, position: Position, offset: int, end: int) -> bool:
        """Read it: the topic's end alone says little of some brokers. Tansu counts the last batch
        as one message, and a topic that it made anew under a writer's hands keeps its old end."""
        if self._confirmed.get(position) == (offset, end):
            return True
        if await self._read(position, offset) is None and (
            end <= offset or await self._read(position, offset, limit_ms=_PATIENT_READ_MS) is None
        ):
            return False
        self._confirmed[position] = (offset, end)
        return True

    async def _read(
        self, position: Position, offset: int, *, limit_ms: int = _READ_MS
    ) -> ConsumerRecord | None:
        """The first message from this offset on."""
        partition = TopicPartition(*position)
        self._consumer.assign([partition])
        self._consumer.seek(partition, offset)
        try:
            batches = await self._consumer.getmany(partition, timeout_ms=limit_ms, max_records=1)
        except OffsetOutOfRangeError:
            return None
        finally:
            self._consumer.unsubscribe()
        found = [record for batch in batches.values() for record in batch]
        return next((record for record in found if record.offset >= offset), None)
