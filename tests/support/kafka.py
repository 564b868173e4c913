"""Publishing to the topics as a service would, and reading what is in them."""

import json
from typing import Any, Self
from uuid import UUID

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from libs.events import TOPICS, EventData, encode

from .waiting import PATIENCE, eventually


class Publisher:
    """Sends events and raw messages, each acknowledged before the call returns."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def event(self, data: EventData, *, times: int = 1) -> UUID:
        """Publish one event, with the same id each time; returns its id."""
        event_id, value = encode(data, service="test")
        for _ in range(times):
            await self.raw(data.topic, value, key=str(data.order_id).encode())
        return event_id

    async def raw(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: list[tuple[str, bytes]] | None = None,
        partition: int | None = None,
    ) -> Any:
        """To the key's partition, if none is given."""
        return await self._producer.send_and_wait(
            topic, value, key=key, headers=headers, partition=partition
        )

    async def nothing(self, topic: str) -> None:
        """A message with neither key nor value: aiokafka refuses it, other clients send it."""
        accumulator = self._producer._message_accumulator
        await self._producer.client._wait_on_metadata(topic)
        place = TopicPartition(topic, 0)
        sent = await accumulator.add_message(place, None, None, timeout=10, headers=[])
        await sent


class EventLog:
    """What is in the topics (dead letters too): read from the beginning, kept as it comes."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.records: list[ConsumerRecord] = []

    async def __aenter__(self) -> Self:
        names = [name for topic in TOPICS for name in (topic, f"{topic}.dlq")]
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20,
        )
        await self._consumer.start()
        self._partitions = [
            TopicPartition(name, partition)
            for name in names
            for partition in (self._consumer.partitions_for_topic(name) or await self._ask(name))
        ]
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning()
        return self

    async def _ask(self, topic: str) -> set[int]:
        await self._consumer._client.add_topic(topic)
        found: set[int] | None = self._consumer.partitions_for_topic(topic)
        assert found, f"there is no topic {topic}"
        return found

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def read(self, *, within: float = PATIENCE) -> list[ConsumerRecord]:
        """Everything that was in the topics when the call was made."""
        ends = await self._consumer.end_offsets(self._partitions)

        async def at_the_end() -> bool:
            for batch in (await self._consumer.getmany(timeout_ms=50)).values():
                self.records.extend(batch)
            behind = [p for p, end in ends.items() if await self._consumer.position(p) < end]
            return not behind

        await eventually(at_the_end, within=within, what="read to the end of the topics")
        return self.records

    async def of_order(self, order_id: int, event_type: str | None = None) -> list[dict[str, Any]]:
        """The events of this order (and type) so far, in the order of each topic."""
        found = []
        for record in await self.read():
            if record.key == str(order_id).encode() and not record.topic.endswith(".dlq"):
                event = json.loads(record.value or b"{}")
                if event_type in (None, event.get("type")):
                    found.append(event)
        return found

    async def wait_for(self, order_id: int, event_type: str) -> dict[str, Any]:
        """The first event of this order and type, once it is there."""

        async def first() -> dict[str, Any] | None:
            return next(iter(await self.of_order(order_id, event_type)), None)

        return await eventually(first, what=f"{event_type} of order {order_id}")

    async def only(self, order_id: int, event_type: str) -> dict[str, Any]:
        """The event of this order and type, once it is there: fails when a second one is."""
        await self.wait_for(order_id, event_type)
        (event,) = await self.of_order(order_id, event_type)
        return event
