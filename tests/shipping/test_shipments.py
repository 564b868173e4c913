"""Shipments: the facts of an order in any order, dispatch, cancellation."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from libs.events import Address, EventData, OrderCancelled, OrderCreated, PaymentSucceeded
from tests.support.kafka import EventLog, Publisher
from tests.support.market import ADDRESS, Market
from tests.support.people import Customer
from tests.support.waiting import eventually

Json = dict[str, Any]


@dataclass
class MadeUp:
    """An order that only Shipping hears of."""

    buyer: Customer
    id: int = field(default_factory=lambda: random.randrange(10**9, 10**12))

    @property
    def who(self) -> Json:
        return {"order_id": self.id, "user_id": self.buyer.id, "email": self.buyer.email}

    def created(self, **address: str) -> OrderCreated:
        return OrderCreated(
            **self.who,
            total_cents=5,
            currency="USD",
            reservation_id=uuid4(),
            items=[],
            address=Address(**{**ADDRESS, **address}),
        )

    def paid(self) -> PaymentSucceeded:
        return PaymentSucceeded(**self.who, payment_id=1, amount_cents=5, currency="USD")

    def cancelled(self) -> OrderCancelled:
        return OrderCancelled(**self.who, reservation_id=uuid4(), items=[], reason="test")


class Shipping:
    """What the tests ask of the service."""

    def __init__(self, market: Market, stack: Json, customer: Customer) -> None:
        self.market = market
        self.customer = customer
        self.internal = f"{stack['services']['shipping']['url']}/internal/shipments"

    def order(self) -> MadeUp:
        return MadeUp(self.customer)

    async def of(self, order: MadeUp) -> Json | None:
        path = f"/shipping/v1/shipments?order_id={order.id}"
        found: list[Json] = (await self.customer.get(path)).json()
        return found[0] if found else None

    async def wait_for(self, order: MadeUp, status: str) -> Json:
        async def reached() -> Json | None:
            shipment = await self.of(order)
            return shipment if shipment and shipment["status"] == status else None

        return await eventually(reached, what=f"shipment {status}")

    async def draft(self, order: MadeUp) -> httpx.Response:
        body = {**order.who, "address": ADDRESS}
        return await self._post("", body)

    async def cancel(self, order: MadeUp, *, only_unpaid: bool = False) -> httpx.Response:
        body = {**order.who, "reason": "test", "only_unpaid": only_unpaid}
        return await self._post("/cancel", body)

    async def _post(self, path: str, body: Json) -> httpx.Response:
        headers = self.market.internal_key
        return await self.market.api.post(f"{self.internal}{path}", json=body, headers=headers)


@pytest.fixture
def shipping(market: Market, stack: Json, customer: Customer) -> Shipping:
    return Shipping(market, stack, customer)


@pytest.fixture
async def ready(shipping: Shipping, publish: Publisher) -> tuple[MadeUp, Json]:
    order = shipping.order()
    await shipping.draft(order)
    await publish.event(order.paid())
    return order, await shipping.wait_for(order, "READY_TO_SHIP")


@pytest.mark.parametrize("facts", [("created", "paid"), ("paid", "created")])
async def test_a_shipment_is_ready_when_both_facts_are_in(
    shipping: Shipping, publish: Publisher, events: EventLog, facts: tuple[str, str]
) -> None:
    order = shipping.order()
    for fact in facts:
        event: EventData = getattr(order, fact)()
        await publish.event(event, times=2)
    shipment = await shipping.wait_for(order, "READY_TO_SHIP")
    assert {name: shipment[name] for name in ADDRESS} == ADDRESS
    assert (shipment["order_id"], shipment["carrier"], shipment["tracking_number"]) == (
        order.id,
        None,
        None,
    )
    await publish.event(order.created(city="Elsewhere"))
    await events.wait_for(order.id, "shipping.ready")
    assert (await shipping.wait_for(order, "READY_TO_SHIP"))["city"] == "Dublin"
    assert len(await events.of_order(order.id, "shipping.ready")) == 1


async def test_a_payment_alone_is_nothing_to_show(
    shipping: Shipping, publish: Publisher, ready: tuple[MadeUp, Json]
) -> None:
    order, marker = shipping.order(), shipping.order()
    await publish.event(order.paid())
    await shipping.draft(marker)
    await publish.event(marker.paid())
    await shipping.wait_for(marker, "READY_TO_SHIP")
    assert await shipping.of(order) is None
    assert (await shipping.draft(order)).status_code == 201


async def test_a_draft_over_http_is_idempotent_and_the_event_changes_nothing(
    shipping: Shipping, publish: Publisher
) -> None:
    order = shipping.order()
    answers = await asyncio.gather(*(shipping.draft(order) for _ in range(5)))
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["id"] for a in answers}) == 1
    await publish.event(order.created(city="Elsewhere"))
    await publish.event(order.paid())
    assert (await shipping.wait_for(order, "READY_TO_SHIP"))["city"] == "Dublin"


@pytest.mark.parametrize("first", ["cancelled", "created", "paid"])
async def test_a_cancelled_shipment_never_comes_to_life(
    shipping: Shipping, publish: Publisher, events: EventLog, first: str
) -> None:
    order = shipping.order()
    rest = [fact for fact in ("cancelled", "created", "paid") if fact != first]
    await publish.event(getattr(order, first)())
    await events.read()
    for fact in rest:
        await publish.event(getattr(order, fact)(), times=2)
    await events.wait_for(order.id, "shipping.cancelled")
    shipment = await shipping.wait_for(order, "CANCELLED")
    assert shipment["city"] == "Dublin"
    assert len(await events.of_order(order.id, "shipping.cancelled")) == 1
    dispatch = await shipping.market.dispatch(shipment)
    assert dispatch.status_code == 409


async def test_dispatch_names_carrier_and_tracking_and_tells_of_it(
    shipping: Shipping, events: EventLog, ready: tuple[MadeUp, Json]
) -> None:
    order, shipment = ready
    response = await shipping.market.dispatch(shipment)
    assert response.status_code == 200
    sent = response.json()
    assert sent["status"] == "DISPATCHED"
    event = await events.wait_for(order.id, "shipping.dispatched")
    assert event["data"] == {
        **order.who,
        "shipment_id": shipment["id"],
        "carrier": sent["carrier"],
        "tracking_number": sent["tracking_number"],
    }
    assert sent["carrier"]
    assert sent["tracking_number"]


async def test_of_many_dispatches_one_succeeds(
    shipping: Shipping, events: EventLog, ready: tuple[MadeUp, Json]
) -> None:
    order, shipment = ready
    answers = await asyncio.gather(*(shipping.market.dispatch(shipment) for _ in range(8)))
    assert sorted(a.status_code for a in answers) == [200] + [409] * 7
    await events.wait_for(order.id, "shipping.dispatched")
    assert len(await events.of_order(order.id, "shipping.dispatched")) == 1


async def test_a_dispatch_and_a_cancellation_at_once_have_one_winner(
    shipping: Shipping, publish: Publisher, events: EventLog
) -> None:
    orders = [shipping.order() for _ in range(6)]
    for order in orders:
        await shipping.draft(order)
        await publish.event(order.paid())
    shipments = [await shipping.wait_for(order, "READY_TO_SHIP") for order in orders]
    races = [
        asyncio.gather(shipping.market.dispatch(shipment), shipping.cancel(order))
        for order, shipment in zip(orders, shipments, strict=True)
    ]
    for order, (sent, cancelled) in zip(orders, await asyncio.gather(*races), strict=True):
        assert sorted([sent.status_code, cancelled.status_code]) == [200, 409]
        won = "shipping.dispatched" if sent.status_code == 200 else "shipping.cancelled"
        lost = "shipping.cancelled" if sent.status_code == 200 else "shipping.dispatched"
        await events.wait_for(order.id, won)
        assert await events.of_order(order.id, lost) == []


async def test_what_waits_for_its_payment_is_not_dispatched(shipping: Shipping) -> None:
    order = shipping.order()
    draft = (await shipping.draft(order)).json()
    response = await shipping.market.dispatch(draft)
    assert response.status_code == 409
    assert "PENDING_PAYMENT" in response.json()["detail"]


async def test_cancelling_is_idempotent_and_ends_with_the_dispatch(
    shipping: Shipping, ready: tuple[MadeUp, Json]
) -> None:
    order, _ = ready
    for _ in range(2):
        response = await shipping.cancel(order)
        assert (response.status_code, response.json()["status"]) == (200, "CANCELLED")


async def test_a_dispatched_shipment_is_not_cancelled(
    shipping: Shipping, publish: Publisher, ready: tuple[MadeUp, Json]
) -> None:
    order, shipment = ready
    await shipping.market.dispatch(shipment)
    response = await shipping.cancel(order)
    assert (response.status_code, response.json()["code"]) == (409, "already_dispatched")
    await publish.event(order.cancelled())
    marker = shipping.order()
    await publish.event(marker.created())
    await shipping.wait_for(marker, "PENDING_PAYMENT")
    assert (await shipping.wait_for(order, "DISPATCHED"))["status"] == "DISPATCHED"


async def test_an_expiry_leaves_a_paid_order_alone(
    shipping: Shipping, ready: tuple[MadeUp, Json]
) -> None:
    order, _ = ready
    response = await shipping.cancel(order, only_unpaid=True)
    assert (response.status_code, response.json()["code"]) == (409, "already_paid")
    assert (await shipping.wait_for(order, "READY_TO_SHIP"))["order_id"] == order.id


async def test_an_order_that_is_not_known_yet_can_be_cancelled(
    shipping: Shipping, events: EventLog
) -> None:
    order = shipping.order()
    assert (await shipping.cancel(order, only_unpaid=True)).status_code == 200
    event = await events.wait_for(order.id, "shipping.cancelled")
    assert event["data"]["email"] == order.buyer.email
    assert (await shipping.draft(order)).json()["status"] == "CANCELLED"


async def test_long_and_odd_addresses_are_kept(shipping: Shipping, publish: Publisher) -> None:
    order = shipping.order()
    odd = {"address_line1": "x" * 5000, "city": "\u6771\u4eac \U0001f69a <b>'"}
    await publish.event(order.created(**odd))
    shipment = await shipping.wait_for(order, "PENDING_PAYMENT")
    assert {name: shipment[name] for name in odd} == odd


async def test_the_list_is_ones_own_newest_first(market: Market, stack: Json) -> None:
    buyer, other = await market.new_customer(), await market.new_customer()
    mine = Shipping(market, stack, buyer)
    orders = [mine.order() for _ in range(3)]
    for order in orders:
        await mine.draft(order)
    listed = (await buyer.get("/shipping/v1/shipments/?limit=2")).json()
    assert [s["order_id"] for s in listed] == [orders[2].id, orders[1].id]
    path = f"/shipping/v1/shipments?order_id={orders[0].id}"
    assert (await other.get(path)).json() == []
    assert len((await market.admin.get(path)).json()) == 1
    assert len((await market.admin.get("/shipping/v1/shipments")).json()) > 1


async def test_the_doors_are_guarded(market: Market, customer: Customer, stack: Json) -> None:
    shipments = "/shipping/v1/shipments"
    assert (await market.api.get(shipments)).status_code == 401
    assert (await market.api.post(f"{shipments}/1/dispatch")).status_code == 401
    assert (await customer.post(f"{shipments}/1/dispatch")).status_code == 403
    assert (await market.admin.post(f"{shipments}/999999999/dispatch")).status_code == 404
    internal = f"{stack['services']['shipping']['url']}/internal/shipments"
    assert (await market.api.post(internal, content=b"{")).status_code == 403
    through = await market.api.post("/shipping/internal/shipments", headers=market.internal_key)
    assert through.status_code == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "order_id=x", "order_id=0"])
async def test_a_bad_query_is_refused(customer: Customer, query: str) -> None:
    assert (await customer.get(f"/shipping/v1/shipments?{query}")).status_code == 422


@pytest.mark.parametrize("id_", ["0", "x", "9223372036854775808", "1%00"])
async def test_a_bad_id_is_refused(market: Market, id_: str) -> None:
    response = await market.admin.post(f"/shipping/v1/shipments/{id_}/dispatch")
    assert response.status_code in (400, 404, 422)
