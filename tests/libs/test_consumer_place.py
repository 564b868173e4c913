"""A consumer whose group coordinator answers no more."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError

from libs import consumer_place, kafka
from libs.consumer_place import Membership, Offsets, PlaceWatch
from libs.kafka import close_client


class Client:
    """An AIOKafkaConsumer's part that commits."""

    def __init__(self, error: Exception | None = None, *, answers: bool = True) -> None:
        self.error = error
        self.answers = answers
        self.asked: list[Any] = []
        self.sought: list[tuple[TopicPartition, int]] = []
        self.partitions = {TopicPartition("t", 0), TopicPartition("t", 1)}

    def assignment(self) -> set[TopicPartition]:
        return self.partitions

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought.append((partition, offset))

    async def commit(self, offsets: Any) -> None:
        self.asked.append(offsets)
        if self.error:
            raise self.error
        if not self.answers:
            await asyncio.Event().wait()


def _record(offset: int, partition: int = 0) -> ConsumerRecord:
    return ConsumerRecord("t", partition, offset, 0, 0, None, None, None, 0, 0, ())


NEXT = {TopicPartition("t", 0): 6}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_place, "_COMMIT_EVERY", 0)


@pytest.mark.usefixtures("at_once")
async def test_no_answer_ends_the_client_so_that_a_new_one_joins_the_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer_place, "_COMMIT_LIMIT", 0.01)
    client = Client(answers=False)
    offsets = Offsets(client)
    offsets.taken([_record(5)])
    with pytest.raises(TimeoutError):
        await offsets.commit_due()
    assert client.asked == [NEXT]


@pytest.mark.usefixtures("at_once")
async def test_a_refused_commit_is_not_made_again() -> None:
    """The broker may have forgotten the group, and would take a place of before for a new one."""
    client = Client(CommitFailedError())
    offsets = Offsets(client)
    offsets.taken([_record(5), _record(7, 1)])
    await offsets.commit_due()
    client.error = None
    offsets.taken([_record(9)])
    await offsets.commit_due()
    assert client.asked[1:] == [{TopicPartition("t", 0): 10}]


@pytest.mark.usefixtures("at_once")
async def test_a_partition_that_has_moved_keeps_no_other_from_its_commit() -> None:
    client = Client()
    offsets = Offsets(client)
    offsets.taken([_record(5), _record(7, 1)])
    client.partitions.remove(TopicPartition("t", 1))
    await offsets.commit_due()
    assert client.asked == [NEXT]


async def test_a_topic_that_is_too_short_twice_is_taken_from_its_beginning_for_good() -> None:
    client, place = Client(), TopicPartition("t", 0)
    offsets = Offsets(client)
    watch = PlaceWatch(offsets)
    offsets.taken([_record(5)])
    for distance in (-1, 0, -1):
        watch.start_over_where_lost({place: distance})
    assert client.sought == []
    watch.start_over_where_lost({place: -1})
    assert client.sought == [(place, 0)]
    await offsets.close()
    assert client.asked == [{place: 0}]


async def test_several_batches_are_one_commit_and_the_last_ones_come_with_the_end() -> None:
    client = Client()
    offsets = Offsets(client)
    for batch in ([_record(4), _record(7, 1)], [_record(5)]):
        offsets.taken(batch)
        await offsets.commit_due()
    assert client.asked == []
    assert 0 < offsets.wait(60) < 1
    await offsets.close()
    assert client.asked == [{TopicPartition("t", 0): 6, TopicPartition("t", 1): 8}]
    await offsets.close()
    assert len(client.asked) == 1
    assert offsets.wait(60) == 60


async def test_an_end_does_not_wait_for_a_coordinator_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer_place, "_LAST_COMMIT_LIMIT", 0.01)
    offsets = Offsets(Client(answers=False))
    offsets.taken([_record(5)])
    async with asyncio.timeout(5):
        await offsets.close()


async def test_what_was_taken_is_committed_before_it_goes_to_another_member() -> None:
    client = Client()
    offsets = Offsets(client)
    offsets.taken([_record(5)])
    await Membership(1, offsets).on_partitions_revoked(set())
    assert client.asked == [NEXT]


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
