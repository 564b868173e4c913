"""A consumer whose group coordinator answers no more."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError

from libs import consumer_place, kafka
from libs.consumer_place import Membership, commit
from libs.kafka import close_client


class Client:
    """An AIOKafkaConsumer's part that commits."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.asked: list[Any] = []

    async def commit(self, offsets: Any) -> None:
        self.asked.append(offsets)
        if self.error:
            raise self.error
        await asyncio.Event().wait()


RECORD = ConsumerRecord("t", 0, 5, 0, 0, None, None, None, 0, 0, ())
NEXT = {TopicPartition("t", 0): 6}


async def test_no_answer_ends_the_client_so_that_a_new_one_joins_the_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer_place, "_COMMIT_LIMIT", 0.01)
    client = Client(None)
    with pytest.raises(TimeoutError):
        await commit(client, [RECORD])
    assert client.asked == [NEXT]


async def test_a_refusal_is_only_a_rebalance() -> None:
    client = Client(CommitFailedError())
    await commit(client, [RECORD])
    assert client.asked == [NEXT]


async def test_a_group_that_gives_no_assignment_ends_the_client() -> None:
    membership = Membership(session_timeout=0)
    with pytest.raises(TimeoutError):
        membership.check()
    await membership.on_partitions_assigned(set())
    membership.check()
    await membership.on_partitions_revoked(set())
    with pytest.raises(TimeoutError):
        membership.check()


class Stubborn:
    """A client that goes on waiting when it is cancelled."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.asked = False

    async def stop(self) -> None:
        self.asked = True
        while not self.ended.is_set():
            with suppress(asyncio.CancelledError):
                await self.ended.wait()


class Cancelled:
    """A client that was waiting for a task of its own, which somebody has cancelled."""

    def __init__(self) -> None:
        self.asked = False

    async def stop(self) -> None:
        self.asked = True
        raise asyncio.CancelledError


async def test_a_client_whose_own_task_was_cancelled_does_not_cancel_who_closes_it() -> None:
    client = Cancelled()
    await close_client(client)
    assert client.asked


async def test_a_client_that_does_not_close_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_CLOSE_LIMIT", 0.01)
    client = Stubborn()
    async with asyncio.timeout(5):
        await close_client(client)
    assert client.asked
    client.ended.set()
