"""What Shipping hears of an order, in any order and more than once."""

import asyncio
from itertools import permutations
from typing import Any

import pytest

from tests.support.kafka import EventLog
from tests.support.market import ADDRESS
from tests.support.waiting import eventually

from .made_up import MadeUp, Shipping

DELIVERIES = list(permutations(("drafted", "created", "paid")))
ENDINGS = [
    *permutations(("created", "paid", "cancelled")),
    *permutations(("drafted", "paid", "cancelled over HTTP")),
]


async def _tell(shipping: Shipping, order: MadeUp, *facts: str) -> None:
    for fact in facts:
        if fact == "drafted":
            assert (await shipping.draft(order)).status_code == 201
        elif fact == "cancelled over HTTP":
            assert (await shipping.cancel(order)).status_code == 200
        else:
            await shipping.take(getattr(order, fact)())


@pytest.mark.parametrize("facts", DELIVERIES, ids="-".join)
async def test_a_shipment_is_ready_once_when_address_and_payment_are_in(
    shipping: Shipping, events: EventLog, facts: tuple[str, ...]
) -> None:
    order = shipping.order()
    await _tell(shipping, order, *facts)
    shipment = await shipping.of(order)
    assert shipment is not None
    assert {name: shipment[name] for name in ADDRESS} == ADDRESS
    known = {name: shipment[name] for name in ("status", "order_id", "carrier", "tracking_number")}
    assert known == {
        "status": "READY_TO_SHIP",
        "order_id": order.id,
        "carrier": None,
        "tracking_number": None,
    }
    event = await events.only(order.id, "shipping.ready")
    assert event["data"] == {
        **order.who,
        "shipment_id": shipment["id"],
        "carrier": None,
        "tracking_number": None,
    }


@pytest.mark.parametrize("facts", ENDINGS, ids="-".join)
async def test_a_cancelled_shipment_never_comes_to_life(
    shipping: Shipping, events: EventLog, facts: tuple[str, ...]
) -> None:
    order = shipping.order()
    await _tell(shipping, order, *facts)
    shipment = await shipping.of(order)
    assert shipment is not None
    assert (shipment["status"], shipment["city"]) == ("CANCELLED", "Dublin")
    await events.wait_for(order.id, "shipping.cancelled")
    told = [e["type"] for e in await events.of_order(order.id) if e["type"].startswith("shipping")]
    was_ready = facts[2].startswith("cancelled")
    assert told == ["shipping.ready"] * was_ready + ["shipping.cancelled"]
    assert (await shipping.market.dispatch(shipment)).status_code == 409


async def test_facts_that_come_all_at_once_end_in_one_cancelled_shipment(
    shipping: Shipping, events: EventLog
) -> None:
    order = shipping.order()
    facts = ("drafted", "created", "paid", "cancelled", "cancelled over HTTP") * 2
    await asyncio.gather(*(_tell(shipping, order, fact) for fact in facts))
    await shipping.wait_for(order, "CANCELLED")
    await events.only(order.id, "shipping.cancelled")
    assert len(await events.of_order(order.id, "shipping.ready")) <= 1


async def test_a_payment_alone_is_nothing_to_show_or_dispatch(shipping: Shipping) -> None:
    order = shipping.order()
    await shipping.take(order.paid())
    assert await shipping.of(order) is None
    row = await shipping.query("SELECT id FROM shipping.shipments WHERE order_id = %s", order.id)
    assert (await shipping.market.dispatch({"id": row[0][0]})).status_code == 404


async def test_a_cancellation_of_an_unknown_order_is_nothing_to_show(shipping: Shipping) -> None:
    order = shipping.order()
    await shipping.take(order.cancelled())
    assert await shipping.of(order) is None


async def test_the_first_address_counts(shipping: Shipping) -> None:
    drafted, created = shipping.order(), shipping.order()
    await shipping.draft(drafted)
    await shipping.take(drafted.created(city="Elsewhere"), created.created())
    await shipping.draft(created, city="Elsewhere")
    for order in (drafted, created):
        assert (await shipping.wait_for(order, "PENDING_PAYMENT"))["city"] == "Dublin"


@pytest.mark.parametrize("door", ["event", "HTTP"])
async def test_long_and_odd_addresses_are_kept(shipping: Shipping, door: str) -> None:
    order = shipping.order()
    odd: dict[str, Any] = {
        "address_line1": "x" * 50_000,
        "address_line2": "\u202e\n\t\\'; DROP TABLE shipments --",
        "city": "\u6771\u4eac \U0001f69a <b>'\"",
        "postcode": "%s {0}",
    }
    if door == "HTTP":
        assert (await shipping.draft(order, **odd)).status_code == 201
    else:
        await shipping.take(order.created(**odd))
    shipment = await shipping.wait_for(order, "PENDING_PAYMENT")
    assert {name: shipment[name] for name in odd} == odd


async def test_an_address_that_no_table_takes_is_a_dead_letter_and_blocks_nothing(
    shipping: Shipping, events: EventLog
) -> None:
    bad, good = shipping.order(), shipping.order()
    await shipping.publish.event(bad.created(city="nul \x00"))
    await shipping.take(good.created())
    key = str(bad.id).encode()

    async def dead() -> bool:
        letters = [r for r in await events.read() if r.key == key and r.topic.endswith(".dlq")]
        return any(dict(r.headers).get("consumer") == b"shipping" for r in letters)

    await eventually(dead, what="a dead letter")
    assert await shipping.of(bad) is None
