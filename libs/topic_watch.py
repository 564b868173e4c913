"""Finds topics that are shorter than what was published to them: their broker has lost messages."""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from .config import ServiceSettings
from .outbox_rows import Position

_READ_MS = 500
_LIMIT = 15.0


class TopicWatch:
    def __init__(self, settings: ServiceSettings) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=settings.kafka_fetch_max_wait_ms,
        )
        self._confirmed: dict[Position, int] = {}

    async def start(self) -> None:
        await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()

    async def find_lost(self, highest: Mapping[Position, int]) -> dict[Position, int]:
        """The first lost offset of each partition that no longer has its highest one."""
        async with asyncio.timeout(_LIMIT):
            ends = await self._consumer.end_offsets([TopicPartition(*p) for p in highest])
            lost = {}
            for partition, end in ends.items():
                position = (partition.topic, partition.partition)
                if end <= highest[position] and not await self._has(position, highest[position]):
                    lost[position] = end
            return lost

    async def _has(self, position: Position, offset: int) -> bool:
        """Read it: a broker may count the last batch of a topic as one message (Tansu does)."""
        if self._confirmed.get(position) == offset:
            return True
        partition = TopicPartition(*position)
        self._consumer.assign([partition])
        self._consumer.seek(partition, offset)
        try:
            batches = await self._consumer.getmany(partition, timeout_ms=_READ_MS)
        except OffsetOutOfRangeError:
            return False
        finally:
            self._consumer.unsubscribe()
        found = any(record.offset >= offset for batch in batches.values() for record in batch)
        if found:
            self._confirmed[position] = offset
        return found
