"""What Order asks of Shipping."""

import asyncio
from typing import Any

import pytest

from tests.support.kafka import EventLog
from tests.support.market import ADDRESS, Market

from .made_up import MadeUp, Shipping

Json = dict[str, Any]
BODY = {"order_id": 1, "user_id": 1, "email": "ann@example.com"}


async def test_a_draft_is_made_once_however_often_it_is_asked_for(shipping: Shipping) -> None:
    order = shipping.order()
    answers = await asyncio.gather(*(shipping.draft(order) for _ in range(8)))
    assert {a.status_code for a in answers} == {201}
    assert len({a.text for a in answers}) == 1
    shipment = await shipping.of(order)
    assert shipment is not None
    assert answers[0].json() == {
        "id": shipment["id"],
        "order_id": order.id,
        "status": "PENDING_PAYMENT",
    }


async def test_cancelling_is_idempotent(
    shipping: Shipping, events: EventLog, ready: tuple[MadeUp, Json]
) -> None:
    order, _ = ready
    answers = await asyncio.gather(*(shipping.cancel(order) for _ in range(6)))
    assert {a.status_code for a in answers} == {200}
    assert answers[0].json() == {"order_id": order.id, "status": "CANCELLED"}
    await events.only(order.id, "shipping.cancelled")


async def test_a_dispatched_shipment_is_not_cancelled(
    shipping: Shipping, ready: tuple[MadeUp, Json]
) -> None:
    order, shipment = ready
    await shipping.market.dispatch(shipment)
    response = await shipping.cancel(order)
    assert (response.status_code, response.json()["code"]) == (409, "already_dispatched")
    await shipping.wait_for(order, "DISPATCHED")


async def test_an_order_that_is_not_known_yet_can_be_cancelled(
    shipping: Shipping, events: EventLog
) -> None:
    order = shipping.order()
    assert (await shipping.cancel(order)).status_code == 200
    event = await events.wait_for(order.id, "shipping.cancelled")
    assert event["data"].items() >= order.who.items()
    assert (await shipping.draft(order)).json()["status"] == "CANCELLED"


@pytest.mark.parametrize("key", [None, "", "wrong"])
@pytest.mark.parametrize("path", ["", "/cancel"])
async def test_the_key_is_asked_for_before_the_body_is_read(
    shipping: Shipping, market: Market, path: str, key: str | None
) -> None:
    headers = {} if key is None else {"X-Internal-Key": key}
    url = f"{shipping.url}/internal/shipments{path}"
    assert (await market.api.post(url, content=b"{", headers=headers)).status_code == 403


@pytest.mark.parametrize("path", ["", "/cancel"])
async def test_no_internal_route_is_reached_through_the_gateway(market: Market, path: str) -> None:
    url = f"/shipping/internal/shipments{path}"
    response = await market.api.post(url, json=BODY, headers=market.internal_key)
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("", {**BODY, "address": ADDRESS, "order_id": True}, "order_id"),
        ("", {**BODY, "address": ADDRESS, "order_id": 2**63}, "order_id"),
        ("", {**BODY, "address": ADDRESS, "user_id": "1"}, "user_id"),
        ("", {**BODY, "address": ADDRESS, "email": "nul\x00"}, "email"),
        ("", {**BODY, "address": {**ADDRESS, "city": "nul\x00"}}, "address.city"),
        ("", {**BODY, "address": {**ADDRESS, "postcode": None}}, "address.postcode"),
        ("", {**BODY, "address": {"city": "Dublin"}}, "address.address_line1"),
        ("", BODY, "address"),
        ("", [], "body"),
        ("/cancel", {**BODY, "reason": "test", "order_id": 0}, "order_id"),
        ("/cancel", {**BODY, "reason": "test", "order_id": 1.0}, "order_id"),
        ("/cancel", {**BODY, "reason": "nul\x00"}, "reason"),
        ("/cancel", {**BODY, "reason": ["test"]}, "reason"),
        ("/cancel", BODY, "reason"),
    ],
)
async def test_a_bad_body_is_refused_by_name(
    shipping: Shipping, path: str, body: Any, named: str
) -> None:
    response = await shipping.post(path, body)
    assert response.status_code == 422
    assert named in response.json()["detail"]
