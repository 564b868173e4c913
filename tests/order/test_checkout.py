"""Checkout through the gateway, with all services that take part in it."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.support.kafka import EventLog
from tests.support.market import ADDRESS, Market
from tests.support.people import Customer

CHECKOUT = "/order/v1/orders/checkout"


@pytest.fixture
async def buyer(market: Market) -> Customer:
    return await market.new_customer()


async def test_a_checkout_orders_what_is_in_the_cart(
    market: Market, buyer: Customer, product: dict[str, Any]
) -> None:
    await market.add_to_cart(buyer, product, 3)
    response = await market.checkout(buyer)
    assert response.status_code == 201
    order = response.json()
    assert order == {
        "order_id": order["order_id"],
        "status": "CREATED",
        "total_cents": 3 * product["price_cents"],
        "currency": "USD",
        "items": [
            {
                "product_id": product["id"],
                "title": product["title"],
                "qty": 3,
                "unit_price_cents": product["price_cents"],
            }
        ],
    }


async def test_a_checkout_empties_the_cart_and_drafts_the_shipment(
    market: Market, buyer: Customer, product: dict[str, Any]
) -> None:
    order = await market.place_order(buyer, product)
    assert (await buyer.get("/cart/v1/cart")).json()["items"] == []
    await market.wait_for_shipment(order, "PENDING_PAYMENT")
    shipments = (await buyer.get(f"/shipping/v1/shipments?order_id={order['order_id']}")).json()
    assert [(s["status"], s["city"]) for s in shipments] == [("PENDING_PAYMENT", "Dublin")]


async def test_a_checkout_reserves_the_goods(market: Market, buyer: Customer) -> None:
    product = await market.make_product(stock=5)
    await market.place_order(buyer, product, 2)
    assert await market.stock(product) == (5, 2)


async def test_the_event_carries_all_that_consumers_need(
    market: Market, buyer: Customer, product: dict[str, Any], events: EventLog
) -> None:
    await market.add_to_cart(buyer, product, 2)
    response = await market.checkout(buyer, **{"X-Request-ID": "from-the-client"})
    order = response.json()
    event = await events.wait_for(order["order_id"], "order.created")
    assert event["source"] == "/order"
    assert event["subject"] == str(order["order_id"])
    assert event["requestid"] == "from-the-client"
    assert event["data"] == {
        "order_id": order["order_id"],
        "user_id": buyer.id,
        "email": buyer.email,
        "total_cents": order["total_cents"],
        "currency": "USD",
        "reservation_id": event["data"]["reservation_id"],
        "items": order["items"],
        "address": ADDRESS,
    }


async def test_an_empty_cart_is_a_conflict(market: Market, buyer: Customer) -> None:
    response = await market.checkout(buyer)
    assert response.status_code == 409
    assert response.json()["code"] == "cart_empty"


async def test_short_stock_names_the_product_and_orders_nothing(
    market: Market, buyer: Customer
) -> None:
    product = await market.make_product(stock=2)
    await market.add_to_cart(buyer, product, 3)
    response = await market.checkout(buyer)
    assert response.status_code == 409
    assert response.json()["code"] == "insufficient_stock"
    assert product["title"] in response.json()["detail"]
    assert (await buyer.get("/order/v1/orders")).json()["total"] == 0
    assert (await buyer.get("/cart/v1/cart")).json()["items"][0]["qty"] == 3


async def test_a_withdrawn_product_is_named(market: Market, buyer: Customer) -> None:
    product = await market.make_product(stock=2)
    await market.add_to_cart(buyer, product)
    path = f"/catalog/v1/products/{product['id']}"
    assert (await market.admin.request("PATCH", path, json={"active": False})).status_code == 200
    response = await market.checkout(buyer)
    assert response.status_code == 409
    assert product["title"] in response.json()["detail"]
    assert response.json()["product_ids"] == [product["id"]]


async def test_the_price_is_catalogs_at_checkout(market: Market, buyer: Customer) -> None:
    product = await market.make_product(price_cents=100)
    await market.add_to_cart(buyer, product, 2)
    path = f"/catalog/v1/products/{product['id']}"
    await market.admin.request("PATCH", path, json={"price_cents": 150})
    assert (await market.checkout(buyer)).json()["total_cents"] == 300


async def test_what_is_added_after_a_checkout_is_a_new_order(
    market: Market, buyer: Customer, product: dict[str, Any]
) -> None:
    first = await market.place_order(buyer, product)
    second = await market.place_order(buyer, product)
    assert first["order_id"] != second["order_id"]


async def test_one_cart_from_two_tabs_is_one_order(market: Market, buyer: Customer) -> None:
    product = await market.make_product(stock=1)
    await market.add_to_cart(buyer, product)
    answers = await asyncio.gather(*(market.checkout(buyer) for _ in range(4)))
    made = {a.json()["order_id"] for a in answers if a.status_code == 201}
    assert len(made) == 1
    assert {a.json()["code"] for a in answers if a.status_code != 201} <= {"cart_empty"}
    assert (await buyer.get("/order/v1/orders")).json()["total"] == 1
    assert (await buyer.get("/cart/v1/cart")).json()["items"] == []
    assert await market.stock(product) == (1, 1)


async def test_the_same_key_at_once_gets_the_same_answer_even_for_the_last_one(
    market: Market, buyer: Customer
) -> None:
    product = await market.make_product(stock=1)
    await market.add_to_cart(buyer, product)
    key = {"Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(*(market.checkout(buyer, **key) for _ in range(5)))
    assert [a.status_code for a in answers] == [201] * 5
    assert len({a.text for a in answers}) == 1


async def test_the_same_key_later_gets_the_first_answer(
    market: Market, buyer: Customer, product: dict[str, Any]
) -> None:
    await market.add_to_cart(buyer, product)
    key = {"Idempotency-Key": uuid4().hex}
    first = await market.checkout(buyer, **key)
    await market.add_to_cart(buyer, product)
    again = await market.checkout(buyer, **key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len((await buyer.get("/cart/v1/cart")).json()["items"]) == 1


async def test_the_same_key_with_another_body_is_refused(
    market: Market, buyer: Customer, product: dict[str, Any]
) -> None:
    await market.add_to_cart(buyer, product)
    headers = {"Idempotency-Key": uuid4().hex}
    assert (await market.checkout(buyer, **headers)).status_code == 201
    other = {**ADDRESS, "city": "Cork"}
    response = await buyer.post(CHECKOUT, json=other, headers=headers)
    assert response.status_code == 422
    assert response.json()["code"] == "idempotency_key_reused"


async def test_a_refusal_may_be_tried_again_with_its_key(market: Market, buyer: Customer) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    assert (await market.checkout(buyer, **key)).status_code == 409
    await market.add_to_cart(buyer, await market.make_product())
    assert (await market.checkout(buyer, **key)).status_code == 201


async def test_keys_are_per_user(market: Market, product: dict[str, Any]) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    orders = set()
    for _ in range(2):
        buyer = await market.new_customer()
        await market.add_to_cart(buyer, product)
        orders.add((await market.checkout(buyer, **key)).json()["order_id"])
    assert len(orders) == 2


async def test_of_12_buyers_of_the_last_3_exactly_3_get_them(market: Market) -> None:
    product = await market.make_product(stock=3)
    buyers = await asyncio.gather(*(market.new_customer() for _ in range(12)))
    await asyncio.gather(*(market.add_to_cart(buyer, product) for buyer in buyers))
    answers = await asyncio.gather(*(market.checkout(buyer) for buyer in buyers))
    assert sorted(a.status_code for a in answers) == [201] * 3 + [409] * 9
    assert await market.stock(product) == (3, 3)


async def test_an_admin_has_no_cart_to_check_out(market: Market) -> None:
    assert (await market.checkout(market.admin)).status_code == 403


async def test_a_stranger_is_asked_for_a_token_before_the_body_is_read(market: Market) -> None:
    response = await market.api.post(CHECKOUT, content=b"{")
    assert response.status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"country": "ie"},
        {"country": "XX"},
        {"country": None},
        {"city": ""},
        {"city": "   "},
        {"city": "x" * 101},
        {"postcode": 1},
        {"address_line1": "a\u0000b"},
        {"address_line1": ["1 Demo Street"]},
    ],
)
async def test_a_bad_address_is_refused(
    market: Market, customer: Customer, change: dict[str, Any]
) -> None:
    response = await customer.post(CHECKOUT, json={**ADDRESS, **change})
    assert response.status_code == 422
    assert next(iter(change)) in response.json()["detail"]
