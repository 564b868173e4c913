"""Looking at orders, cancelling them, and what events make of them."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from libs.events import PaymentSucceeded, ShippingDispatched, ShippingReady
from tests.support.kafka import EventLog, Publisher
from tests.support.market import Market
from tests.support.people import Customer
from tests.support.processes import APART, NOBODY, ServiceProcess
from tests.support.waiting import eventually

Json = dict[str, Any]


@pytest.fixture
async def buyer(market: Market) -> Customer:
    return await market.new_customer()


async def test_the_owner_and_an_admin_see_an_order(
    market: Market, buyer: Customer, product: Json
) -> None:
    order = await market.place_order(buyer, product)
    path = f"/order/v1/orders/{order['order_id']}"
    seen = (await buyer.get(path)).json()
    assert seen == (await market.admin.get(path)).json()
    assert (seen["id"], seen["status"]) == (order["order_id"], "CREATED")
    assert (seen["items"], seen["total_cents"]) == (order["items"], order["total_cents"])


async def test_someone_elses_order_is_not_found(
    market: Market, buyer: Customer, customer: Customer, product: Json
) -> None:
    order = await market.place_order(buyer, product)
    for response in (
        await customer.get(f"/order/v1/orders/{order['order_id']}"),
        await market.cancel(customer, order),
        await customer.get("/order/v1/orders/999999999"),
    ):
        assert response.status_code == 404


async def test_the_list_holds_ones_own_orders_newest_first(
    market: Market, buyer: Customer, product: Json
) -> None:
    made = [(await market.place_order(buyer, product))["order_id"] for _ in range(3)]
    page = (await buyer.get("/order/v1/orders/?limit=2")).json()
    assert [order["id"] for order in page["items"]] == made[:0:-1]
    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 0)
    rest = (await buyer.get("/order/v1/orders?limit=2&offset=2")).json()
    assert [order["id"] for order in rest["items"]] == made[:1]


async def test_the_list_can_be_asked_for_one_status(
    market: Market, buyer: Customer, product: Json
) -> None:
    first = await market.place_order(buyer, product)
    await market.place_order(buyer, product)
    assert (await market.cancel(buyer, first)).status_code == 200
    page = (await buyer.get("/order/v1/orders?status=CANCELLED")).json()
    assert [order["id"] for order in page["items"]] == [first["order_id"]]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "limit=1.0", "limit=%2B1", "offset=-1", "status=LOST"],
)
async def test_a_bad_list_query_is_refused(customer: Customer, query: str) -> None:
    assert (await customer.get(f"/order/v1/orders?{query}")).status_code == 422


@pytest.mark.parametrize("id_", ["0", "x", "1.0", "+1", "1_0", "9223372036854775808", "9" * 5000])
async def test_an_id_is_a_whole_number_in_digits(customer: Customer, id_: str) -> None:
    assert (await customer.get(f"/order/v1/orders/{id_}")).status_code == 422


async def test_orders_need_a_token(market: Market) -> None:
    for method, path in (
        ("GET", "/order/v1/orders"),
        ("GET", "/order/v1/orders/1"),
        ("POST", "/order/v1/orders/1/cancel"),
    ):
        assert (await market.api.request(method, path)).status_code == 401


async def test_cancelling_an_unpaid_order_gives_its_goods_back(
    market: Market, buyer: Customer, events: EventLog
) -> None:
    product = await market.make_product(stock=5)
    order = await market.place_order(buyer, product, 2)
    response = await market.cancel(buyer, order)
    assert (response.status_code, response.json()["status"]) == (200, "CANCELLED")
    await market.wait_for_stock(product, 5, 0)
    await market.wait_for_shipment(order, "CANCELLED")
    assert await events.of_order(order["order_id"], "payment.refunded") == []


async def test_cancelling_a_paid_order_refunds_it_once_and_restocks(
    market: Market, buyer: Customer, events: EventLog
) -> None:
    product = await market.make_product(stock=5)
    order = await market.place_order(buyer, product, 2)
    assert (await market.pay(buyer, order)).status_code == 201
    await market.wait_for_stock(product, 3, 0)
    assert (await market.cancel(buyer, order)).status_code == 200
    await market.wait_for_stock(product, 5, 0)
    await market.wait_for_payment(order, "REFUNDED")
    await events.only(order["order_id"], "payment.refunded")


async def test_a_cancelled_order_can_be_neither_cancelled_nor_paid(
    market: Market, buyer: Customer, product: Json
) -> None:
    order = await market.place_order(buyer, product)
    await market.cancel(buyer, order)
    assert (await market.cancel(buyer, order)).status_code == 409
    assert (await market.pay(buyer, order)).status_code == 409


async def test_a_cancellation_that_is_sent_again_with_its_key_has_its_first_answer(
    market: Market, buyer: Customer, product: Json
) -> None:
    """As the gateway does by itself when its connection is cut before the answer."""
    order = await market.place_order(buyer, product)
    path, key = f"/order/v1/orders/{order['order_id']}/cancel", {"Idempotency-Key": uuid4().hex}
    answers = [await buyer.post(path, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["status"] == "CANCELLED"
    other = {"Idempotency-Key": uuid4().hex}
    assert (await buyer.post(path, headers=other)).status_code == 409


async def test_one_key_cancels_one_order(market: Market, buyer: Customer, product: Json) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    for order in [await market.place_order(buyer, product) for _ in range(2)]:
        path = f"/order/v1/orders/{order['order_id']}/cancel"
        cancelled = await buyer.post(path, headers=key)
        assert (cancelled.status_code, cancelled.json()["id"]) == (200, order["order_id"])


async def test_a_dispatched_order_is_shipped_and_can_not_be_cancelled(
    market: Market, buyer: Customer, product: Json
) -> None:
    order = await market.place_order(buyer, product)
    await market.pay(buyer, order)
    shipment = await market.wait_for_shipment(order, "READY_TO_SHIP")
    assert (await market.dispatch(shipment)).status_code == 200
    assert (await market.cancel(buyer, order)).status_code == 409
    await market.wait_for_order(order, "SHIPPED")
    assert (await market.cancel(buyer, order)).status_code == 409


async def test_a_cancellation_and_a_payment_at_once_end_in_one_way(market: Market) -> None:
    product = await market.make_product(stock=20)
    buyers = await asyncio.gather(*(market.new_customer() for _ in range(8)))
    orders = await asyncio.gather(*(market.place_order(b, product) for b in buyers))
    attempts = [
        asyncio.gather(market.cancel(buyer, order), market.pay(buyer, order))
        for buyer, order in zip(buyers, orders, strict=True)
    ]
    for order, (cancelled, paid) in zip(orders, await asyncio.gather(*attempts), strict=True):
        assert cancelled.status_code == 200
        assert paid.status_code in (201, 409)
        await market.wait_for_order(order, "CANCELLED")
        await market.wait_for_shipment(order, "CANCELLED")
        if paid.status_code == 201:
            await market.wait_for_payment(order, "REFUNDED")
    await market.wait_for_stock(product, 20, 0)


def _fact(order: Json, buyer: Customer) -> Json:
    return {"order_id": order["order_id"], "user_id": buyer.id, "email": buyer.email}


async def test_each_event_takes_effect_once(
    market: Market, buyer: Customer, publish: Publisher, events: EventLog
) -> None:
    product = await market.make_product(stock=5)
    order = await market.place_order(buyer, product)
    paid = PaymentSucceeded(
        **_fact(order, buyer), payment_id=1, amount_cents=order["total_cents"], currency="USD"
    )
    await publish.event(paid, times=2)
    await publish.event(paid)
    await market.wait_for_order(order, "PAID")
    await market.wait_for_stock(product, 4, 0)
    shipment = await market.wait_for_shipment(order, "READY_TO_SHIP")
    await market.dispatch(shipment)
    await market.wait_for_order(order, "SHIPPED")
    await events.only(order["order_id"], "order.paid")


async def test_news_of_the_shipment_may_come_before_the_payment(
    market: Market, buyer: Customer, publish: Publisher
) -> None:
    product = await market.make_product(stock=5)
    order = await market.place_order(buyer, product)
    await publish.event(ShippingDispatched(**_fact(order, buyer), shipment_id=1))
    await market.wait_for_order(order, "SHIPPED")
    await market.wait_for_stock(product, 4, 0)
    await publish.event(ShippingReady(**_fact(order, buyer), shipment_id=1))
    await publish.event(
        PaymentSucceeded(**_fact(order, buyer), payment_id=1, amount_cents=1, currency="USD")
    )
    assert (await market.wait_for_order(order, "SHIPPED"))["status"] == "SHIPPED"


async def test_a_checkout_slower_than_the_sweeper_sells_nothing_twice(
    market: Market, stack: Json, internal_key: dict[str, str]
) -> None:
    """A reservation that Order has refused can't come to an order any more."""
    order_url = stack["services"]["order"]["url"]
    path = f"{order_url}/internal/reservations/{uuid4()}/claim"
    for _ in range(2):
        answer = await market.api.post(path, headers=internal_key)
        assert (answer.status_code, answer.json()) == (200, {"order_id": None})


async def test_a_reservation_of_an_order_is_claimed_by_it(
    market: Market, buyer: Customer, product: Json, events: EventLog, stack: Json
) -> None:
    order = await market.place_order(buyer, product)
    event = await events.wait_for(order["order_id"], "order.created")
    url = stack["services"]["order"]["url"]
    path = f"{url}/internal/reservations/{event['data']['reservation_id']}/claim"
    answer = await market.api.post(path, headers=market.internal_key)
    assert answer.json() == {"order_id": order["order_id"]}


async def test_internal_calls_need_the_key_and_are_not_behind_the_gateway(
    market: Market, stack: Json
) -> None:
    direct = f"{stack['services']['order']['url']}/internal/orders/1"
    assert (await market.api.get(direct)).status_code == 403
    through = await market.api.get("/order/internal/orders/1", headers=market.internal_key)
    assert through.status_code == 404
    forwarded = {**market.internal_key, "X-Forwarded-Prefix": "/order"}
    assert (await market.api.get(direct, headers=forwarded)).status_code == 404


async def test_while_a_neighbour_is_away_a_checkout_is_a_clean_503(
    market: Market, stack: Json, buyer: Customer, product: Json
) -> None:
    await market.add_to_cart(buyer, product)
    away = {"CATALOG_BASE": f"http://{NOBODY}"}
    async with ServiceProcess("order", stack["env"], **APART, **away) as copy:
        own = Customer(buyer.id, buyer.email, buyer.token, market.api)
        body = {"address_line1": "1", "city": "D", "country": "IE", "postcode": "1"}
        response = await own.post(f"{copy.url}/v1/orders/checkout", json=body)
        assert response.status_code == 503
        assert response.headers["retry-after"]
        assert response.headers["content-type"] == "application/problem+json"
        health = await market.api.get(f"{copy.url}/health")
        assert (health.status_code, health.json()["status"]) == (200, "ok")
        checks = health.json()["checks"]
        assert [n for n in ("cart", "catalog", "payment", "shipping") if checks[n] != "ok"] == [
            "catalog"
        ]
    assert (await market.checkout(buyer)).status_code == 201


async def test_while_shipping_is_away_a_checkout_works_and_the_draft_comes_later(
    market: Market, stack: Json, buyer: Customer, product: Json
) -> None:
    await market.add_to_cart(buyer, product)
    away = {"SHIPPING_BASE": f"http://{NOBODY}"}
    async with ServiceProcess("order", stack["env"], **APART, **away) as copy:
        body = {"address_line1": "1", "city": "D", "country": "IE", "postcode": "1"}
        response = await buyer.post(f"{copy.url}/v1/orders/checkout", json=body)
        assert response.status_code == 201
        order = response.json()
        cancel = await buyer.post(f"{copy.url}/v1/orders/{order['order_id']}/cancel")
        assert cancel.status_code == 503
        await market.wait_for_shipment(order, "PENDING_PAYMENT")


async def test_the_service_says_how_it_is(market: Market) -> None:
    health = (await market.api.get("/order/health")).json()
    assert (health["status"], health["service"]) == ("ok", "order")
    assert health["checks"]["database"] == "ok"

    async def loops_are_well() -> bool:
        checks = (await market.api.get("/order/health")).json()["checks"]
        return all(checks[f"loop {name}"] == "ok" for name in ("relay", "consumer", "expiry"))

    await eventually(loops_are_well)
    info = (await market.api.get("/order/v1/_info")).json()
    assert set(info) == {"service", "version", "environment"}
