"""Reading topics to their end, as the audit and `events.py dlq` do."""

import asyncio
from typing import Any
from uuid import uuid4

from aiokafka import TopicPartition
from aiokafka.admin import NewTopic

from scripts.topics.reader import admin_client, read_to_end
from tests.support.kafka import Publisher


async def test_the_end_is_where_it_was_at_the_start_though_messages_keep_coming(
    stack: dict[str, Any], publish: Publisher
) -> None:
    topic = f"busy.{uuid4().hex[:10]}"
    async with admin_client(stack["kafka"]) as admin:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    for number in range(5):
        await publish.raw(topic, b"%d" % number)
    read = []
    async with asyncio.timeout(20):
        async for record in read_to_end(stack["kafka"], [TopicPartition(topic, 0)]):
            read.append(record.value)
            await publish.raw(topic, b"after the start")
    assert read[:5] == [b"0", b"1", b"2", b"3", b"4"]
