"""What becomes of messages that are no ordinary events: the services' consumers, on the stack."""

import json
import random
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import ConsumerRecord

from libs.events import encode
from tests.support.database import Query
from tests.support.kafka import EventLog, Publisher
from tests.support.market import Market
from tests.support.waiting import eventually

from .samples import paid

Json = dict[str, Any]
TOPIC = "payment.events"
CONSUMERS = {"notifications", "order", "shipping"}


def _event(order_id: int, **changes: Any) -> bytes:
    _, value = encode(paid(order_id), service="test")
    return json.dumps({**json.loads(value), **changes}).encode()


def _some_id() -> int:
    return random.randrange(10**9, 10**12)


async def _letters(events: EventLog, key: bytes) -> dict[str, ConsumerRecord]:
    """The dead letters with this key, once every consumer group has made its own."""

    async def complete() -> dict[str, ConsumerRecord] | None:
        found = [
            record
            for record in await events.read()
            if record.topic == f"{TOPIC}.dlq" and record.key == key
        ]
        by_consumer = {dict(record.headers)["consumer"].decode(): record for record in found}
        assert len(by_consumer) == len(found), "a dead letter twice"
        return by_consumer if set(by_consumer) >= CONSUMERS else None

    return await eventually(complete, what="dead letters")


@pytest.mark.parametrize(
    "value",
    [
        b"not JSON",
        b"\xff\xfe\x00",
        b"",
        None,
        b"[]",
        b"null",
        _event(1, specversion="2.0"),
        _event(1, id="x"),
        _event(1, data={"order_id": 1}),
        _event(1, data=None),
        b"x" * 900_000,
    ],
    ids=["text", "bytes", "empty", "null", "array", "json null", "version", "id", "data", "none",
         "large"],
)  # fmt: skip
async def test_a_poison_message_goes_to_the_dead_letters_once_a_consumer(
    publish: Publisher, events: EventLog, value: bytes | None
) -> None:
    key = uuid4().hex.encode()
    await publish.raw(TOPIC, value, key=key)
    for letter in (await _letters(events, key)).values():
        assert (letter.value or None) == (value or None)
        assert dict(letter.headers)["reason"]


async def test_a_message_of_nothing_goes_to_the_dead_letters_and_blocks_no_relay(
    publish: Publisher, events: EventLog
) -> None:
    await publish.nothing(TOPIC)
    for letter in (await _letters(events, b"")).values():
        assert letter.value is None


async def test_a_message_that_no_handler_can_take_is_buried_and_the_next_one_taken(
    market: Market, publish: Publisher, events: EventLog
) -> None:
    """The order id is too large for any table: an error that no handler has listed."""
    buyer = await market.new_customer()
    order = await market.place_order(buyer, await market.make_product())
    key = str(order["order_id"]).encode()
    huge = json.loads(_event(1))
    huge["data"]["order_id"] = 10**30
    await publish.raw(TOPIC, json.dumps(huge).encode(), key=key)
    await market.pay(buyer, order)
    await market.wait_for_order(order, "PAID")
    await market.wait_for_shipment(order, "READY_TO_SHIP")
    letters = await _letters(events, key)
    assert b"handler failed" in dict(letters["shipping"].headers)["reason"]


async def test_a_message_without_a_key_is_taken(publish: Publisher, query: Query) -> None:
    order_id = _some_id()
    await publish.raw(TOPIC, _event(order_id))
    await eventually(lambda: _shipments(query, order_id))


async def _shipments(query: Query, order_id: int) -> list[Any]:
    return await query("SELECT 1 FROM shipping.shipments WHERE order_id = %s", order_id)


async def test_an_unknown_type_is_ignored(
    market: Market, publish: Publisher, events: EventLog
) -> None:
    key = uuid4().hex.encode()
    await publish.raw(TOPIC, _event(_some_id(), type="payment.celebrated"), key=key)
    marker = uuid4().hex.encode()
    for partition in range(4):  # so that the ignored one has been passed, wherever it is
        await publish.raw(TOPIC, b"marker", key=marker, partition=partition)
    await _letters_at_least(events, marker, len(CONSUMERS) * 4)
    assert not [r for r in await events.read() if r.topic.endswith(".dlq") and r.key == key]


async def _letters_at_least(events: EventLog, key: bytes, number: int) -> None:
    async def enough() -> bool:
        found = [r for r in await events.read() if r.topic.endswith(".dlq") and r.key == key]
        return len(found) >= number

    await eventually(enough)


async def test_a_repaired_message_with_the_same_id_takes_effect(
    publish: Publisher, events: EventLog, query: Query
) -> None:
    """A dead letter claims its place, not its event's id."""
    order_id = _some_id()
    key = str(order_id).encode()
    good = _event(order_id)
    broken = json.loads(good)
    del broken["data"]["email"]
    await publish.raw(TOPIC, json.dumps(broken).encode(), key=key)
    await _letters(events, key)
    assert not await _shipments(query, order_id)
    await publish.raw(TOPIC, good, key=key)
    await eventually(lambda: _shipments(query, order_id))
