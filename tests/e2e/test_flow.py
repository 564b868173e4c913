"""From registration to the last mail, as a customer lives through it."""

from typing import Any

import httpx

from tests.support.kafka import EventLog
from tests.support.market import Market
from tests.support.waiting import eventually


async def test_one_order_from_cart_to_doorstep(
    market: Market, stack: dict[str, Any], events: EventLog
) -> None:
    buyer = await market.new_customer()
    product = await market.make_product(stock=10)
    order = await market.place_order(buyer, product, 2)
    assert (await market.pay(buyer, order)).status_code == 201
    shipment = await market.wait_for_shipment(order, "READY_TO_SHIP")
    sent = (await market.dispatch(shipment)).json()
    assert sent["status"] == "DISPATCHED"
    assert sent["carrier"]
    assert sent["tracking_number"]
    await market.wait_for_order(order, "SHIPPED")
    await market.wait_for_stock(product, 8, 0)
    for event_type in ("order.paid", "shipping.dispatched"):
        await events.wait_for(order["order_id"], event_type)
    of_order = [event["type"] for event in await events.of_order(order["order_id"])]
    assert sorted(of_order) == [
        "order.created",
        "order.paid",
        "payment.succeeded",
        "shipping.dispatched",
        "shipping.ready",
    ]

    async def mails() -> list[str]:
        async with httpx.AsyncClient(base_url=stack["mailhog"]) as mailhog:
            found = (await mailhog.get("/api/v2/messages?limit=200")).json()["items"]
        mine = [
            m["Content"]["Headers"]
            for m in found
            if buyer.email in m["Content"]["Headers"]["To"][0]
        ]
        return [headers["Subject"][0] for headers in mine] if len(mine) >= 3 else []

    assert len(await eventually(mails, what="three mails")) == 3
