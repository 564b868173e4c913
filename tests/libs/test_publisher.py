"""A broker that takes some messages of a batch and refuses others."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import UnknownError
from aiokafka.structs import RecordMetadata

from libs.loops import Loop
from libs.outbox_rows import WaitingRow
from libs.publisher import Publisher

TOPIC = "order.events"


class Rows:
    """An outbox whose rows are each a number and the key of an order."""

    def __init__(self, *keys: bytes) -> None:
        self.waiting = dict(enumerate(keys, 1))

    async def fetch_waiting(self, limit: int) -> list[WaitingRow]:
        return [
            WaitingRow(number, TOPIC, key, str(number).encode(), {}, 0.0)
            for number, key in self.waiting.items()
        ]

    async def mark_published(self, ids: Sequence[int], *_: object) -> None:
        for number in ids:
            del self.waiting[number]


class Broker:
    """What a producer that numbers nothing sends to: each message may fail by itself."""

    def __init__(self, *refused: int) -> None:
        self.client = self
        self.refused = set(refused)
        self.taken: list[int] = []

    async def force_metadata_update(self) -> bool:
        return True

    async def send(self, topic: str, value: bytes, **_: object) -> Awaitable[RecordMetadata]:
        sent: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        if int(value) in self.refused:
            sent.set_exception(UnknownError())
        else:
            self.taken.append(int(value))
            place = TopicPartition(topic, 0)
            sent.set_result(RecordMetadata(topic, 0, place, len(self.taken), 0, 0, 0))
        return sent

    async def flush(self) -> None:
        pass


async def test_one_that_was_refused_still_comes_before_the_later_ones_of_its_order() -> None:
    rows: Any = Rows(b"7", b"7", b"8", b"7", b"7")
    broker: Any = Broker(2)
    no_watch: Any = None
    no_run: Any = None
    publisher, loop = Publisher(rows, broker, no_watch, "order"), Loop("relay", no_run)
    with pytest.raises(UnknownError):
        await publisher.publish_waiting(loop)
    assert broker.taken == [1, 3]
    broker.refused.clear()
    await publisher.publish_waiting(loop)
    assert broker.taken == [1, 3, 2, 4, 5]
    assert not rows.waiting
