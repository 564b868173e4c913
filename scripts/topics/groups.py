"""How far the consumer groups are."""

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from libs.asyncapi import CONSUMERS
from libs.events import EVENT_TYPES, TOPICS

from .reader import admin_client, list_partitions

Position = tuple[str, int]


def topics_of(group: str) -> set[str]:
    return {EVENT_TYPES[name].topic for name in CONSUMERS[group]}


async def read_committed(bootstrap: str) -> dict[str, dict[Position, int]]:
    """Of each group: the next offset that it will take, where it has taken any."""
    async with admin_client(bootstrap) as admin:
        partitions = await list_partitions(admin, TOPICS)
        return {group: await _offsets(admin, group, partitions) for group in CONSUMERS}


async def _offsets(
    admin: AIOKafkaAdminClient, group: str, partitions: list[TopicPartition]
) -> dict[Position, int]:
    """Asks by name: Tansu can't answer for "all partitions"."""
    wanted = [place for place in partitions if place.topic in topics_of(group)]
    if not wanted:
        return {}
    found = await admin.list_consumer_group_offsets(group, partitions=wanted)
    return {(p.topic, p.partition): e.offset for p, e in found.items() if e.offset >= 0}
