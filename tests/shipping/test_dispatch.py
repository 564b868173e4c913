"""Dispatching, and what it races with."""

import asyncio
from typing import Any

from tests.support.kafka import EventLog

from .made_up import MadeUp, Shipping

Json = dict[str, Any]


async def test_dispatch_names_carrier_and_tracking_and_tells_of_it(
    shipping: Shipping, events: EventLog, ready: tuple[MadeUp, Json]
) -> None:
    order, shipment = ready
    response = await shipping.market.dispatch(shipment)
    assert response.status_code == 200
    sent = response.json()
    assert sent == {
        **shipment,
        "status": "DISPATCHED",
        "carrier": sent["carrier"],
        "tracking_number": sent["tracking_number"],
    }
    assert sent["carrier"]
    assert sent["tracking_number"]
    event = await events.wait_for(order.id, "shipping.dispatched")
    assert event["data"] == {
        **order.who,
        "shipment_id": shipment["id"],
        "carrier": sent["carrier"],
        "tracking_number": sent["tracking_number"],
    }
    assert await shipping.of(order) == sent


async def test_of_many_dispatches_one_succeeds(
    shipping: Shipping, events: EventLog, ready: tuple[MadeUp, Json]
) -> None:
    order, shipment = ready
    answers = await asyncio.gather(*(shipping.market.dispatch(shipment) for _ in range(8)))
    assert sorted(a.status_code for a in answers) == [200] + [409] * 7
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"not_ready_to_ship"}
    await events.only(order.id, "shipping.dispatched")


async def test_a_dispatch_and_a_cancellation_at_once_have_one_winner(
    shipping: Shipping, events: EventLog
) -> None:
    orders = [shipping.order() for _ in range(8)]
    shipments = await asyncio.gather(*(shipping.make_ready(order) for order in orders))
    races = [
        asyncio.gather(shipping.market.dispatch(shipment), shipping.cancel(order))
        for order, shipment in zip(orders, shipments, strict=True)
    ]
    for order, (sent, cancelled) in zip(orders, await asyncio.gather(*races), strict=True):
        assert sorted([sent.status_code, cancelled.status_code]) == [200, 409]
        outcomes = ["DISPATCHED", "CANCELLED"]
        won, lost = outcomes if sent.status_code == 200 else reversed(outcomes)
        await events.wait_for(order.id, f"shipping.{won.lower()}")
        assert await events.of_order(order.id, f"shipping.{lost.lower()}") == []
        await shipping.wait_for(order, won)


async def test_what_waits_for_its_payment_is_not_dispatched(shipping: Shipping) -> None:
    draft = (await shipping.draft(shipping.order())).json()
    response = await shipping.market.dispatch(draft)
    assert (response.status_code, response.json()["code"]) == (409, "not_ready_to_ship")
    assert "PENDING_PAYMENT" in response.json()["detail"]


async def test_nothing_brings_a_dispatched_shipment_back(
    shipping: Shipping, events: EventLog, ready: tuple[MadeUp, Json]
) -> None:
    order, shipment = ready
    sent = (await shipping.market.dispatch(shipment)).json()
    await shipping.draft(order)
    await shipping.take(order.created(), order.paid(), order.cancelled())
    assert await shipping.of(order) == sent
    assert await events.of_order(order.id, "shipping.cancelled") == []
