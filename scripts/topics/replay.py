"""Sends dead letters again, each to the one consumer group that could not take it.

A letter is settled after its outcome is known. Whoever is killed in between leaves it on the list;
the next replay finds that it already had its effect.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from libs.asyncapi import CONSUMERS
from libs.events import InvalidEvent, UnknownEventType, decode
from libs.letter_format import REPLAY, REPLAY_FOR

from .database import Connection, find_refusal, forget, had_effect
from .letters import Letter, settle
from .reader import REQUEST_MS, broker_away, start_client

LIMIT = 15.0
_PAUSE = 0.1
_LARGEST = 4 * 1024 * 1024

APPLIED, HAD_EFFECT = "applied", "already had its effect"


@dataclass(frozen=True)
class Outcome:
    what: str
    ok: bool
    settled: bool = True


@asynccontextmanager
async def open_producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """Raises StackAway."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        request_timeout_ms=REQUEST_MS,
        max_request_size=_LARGEST,
    )
    try:
        await start_client(producer, bootstrap)
        yield producer
    except (KafkaError, TimeoutError) as error:
        raise broker_away(bootstrap, error) from None
    finally:
        await producer.stop()


@dataclass(frozen=True)
class Replayer:
    connection: Connection
    producer: AIOKafkaProducer
    admin: AIOKafkaAdminClient
    limit: float = LIMIT

    def predict(self, letter: Letter) -> str:
        """What a replay would do, without doing it."""
        if letter.consumer not in CONSUMERS:
            return _no_group(letter).what
        if had_effect(self.connection, letter.consumer, letter.event_id):
            return HAD_EFFECT
        try:
            decode(letter.value)
        except InvalidEvent as invalid:
            return f"would fail again: {invalid}"
        except UnknownEventType as unknown:
            return f"would be passed by: {letter.consumer} does not know {unknown}"
        return f"would be sent to {letter.original_topic} for {letter.consumer}"

    async def replay(self, letter: Letter) -> Outcome:
        if letter.consumer not in CONSUMERS:
            return _no_group(letter)
        if had_effect(self.connection, letter.consumer, letter.event_id):
            outcome = Outcome(HAD_EFFECT, ok=True)
        else:
            outcome = await self._send(letter)
        if outcome.settled:
            await settle(self.producer, letter, f"replayed: {outcome.what}")
            forget(self.connection, letter.consumer, letter.id)
        return outcome

    async def _send(self, letter: Letter) -> Outcome:
        replay = str(uuid4())
        headers = [(REPLAY, replay.encode()), (REPLAY_FOR, letter.consumer.encode())]
        try:
            async with asyncio.timeout(self.limit):
                sent = await self.producer.send_and_wait(
                    letter.original_topic, letter.value, key=letter.key, headers=headers
                )
        except (KafkaError, TimeoutError) as error:
            what = f"could not be sent ({type(error).__name__}); it stays on the list"
            return Outcome(what, ok=False, settled=False)
        return await self._watch(letter, replay, sent)

    async def _watch(self, letter: Letter, replay: str, sent: RecordMetadata) -> Outcome:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.limit
        while loop.time() < deadline:
            passed = await self._passed(letter.consumer, sent)  # before the tables are read
            if had_effect(self.connection, letter.consumer, letter.event_id):
                return Outcome(APPLIED, ok=True)
            if reason := find_refusal(self.connection, letter.consumer, replay):
                return Outcome(f"failed again: {reason}", ok=False)
            if passed:
                return Outcome(f"passed by: nothing that {letter.consumer} handles", ok=False)
            await asyncio.sleep(_PAUSE)
        what = f"no answer from {letter.consumer} within {self.limit:g} s; it stays on the list"
        return Outcome(what, ok=False, settled=False)

    async def _passed(self, group: str, sent: RecordMetadata) -> bool:
        place = TopicPartition(sent.topic, sent.partition)
        found = await self.admin.list_consumer_group_offsets(group, partitions=[place])
        return place in found and found[place].offset > sent.offset


def _no_group(letter: Letter) -> Outcome:
    what = f"can't be replayed: {letter.consumer} is no consumer group; discard it"
    return Outcome(what, ok=False, settled=False)
