"""Prints the topics as they come."""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from ..console import Console, ScriptError
from .lines import describe, event_of
from .reader import find_partitions, plain_consumer


def tail(
    bootstrap: str,
    topics: Sequence[str],
    console: Console,
    *,
    types: Sequence[str],
    since: datetime | None,
) -> None:
    """Until a Ctrl-C, or until nobody reads any more."""
    try:
        asyncio.run(_follow(bootstrap, topics, console, types, since))
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _follow(
    bootstrap: str,
    topics: Sequence[str],
    console: Console,
    types: Sequence[str],
    since: datetime | None,
) -> None:
    partitions = await find_partitions(bootstrap, topics)
    if not partitions:
        raise ScriptError("None of these topics is there yet; the services make them")
    async with plain_consumer(bootstrap, partitions) as consumer:
        await _seek(consumer, partitions, since)
        console.note(f"following {', '.join(topics)}; Ctrl-C ends")
        while True:
            batches = await consumer.getmany(timeout_ms=1000)
            for record in sorted(_flat(batches), key=lambda record: int(record.timestamp)):
                if not types or event_of(record.value).get("type") in types:
                    console.show(describe(record, console))


async def _seek(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], since: datetime | None
) -> None:
    await consumer.seek_to_end(*partitions)
    if since is None:
        for partition in partitions:
            await consumer.position(partition)
        return
    await consumer.seek_to_beginning(*partitions)
    times = {partition: int(since.timestamp() * 1000) for partition in partitions}
    for partition, found in (await consumer.offsets_for_times(times)).items():
        if found is not None:
            consumer.seek(partition, found.offset)
        else:
            await consumer.seek_to_end(partition)


def _flat(batches: dict[TopicPartition, list[ConsumerRecord]]) -> list[ConsumerRecord]:
    return [record for batch in batches.values() for record in batch]
