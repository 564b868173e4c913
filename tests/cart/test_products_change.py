"""Carts whose products Catalog has changed or forgotten since they came in."""

import pytest
from redis.asyncio import Redis

from tests.cart.doors import CART, ITEMS, Json, lines
from tests.support.market import Market
from tests.support.people import Customer


@pytest.fixture
async def changing(market: Market) -> Json:
    return await market.make_product(price_cents=100)


async def _change(market: Market, product: Json, **fields: object) -> None:
    path = f"/catalog/v1/products/{product['id']}"
    assert (await market.admin.request("PATCH", path, json=fields)).status_code == 200


async def _add(buyer: Customer, product: Json) -> int:
    body = {"product_id": product["id"], "qty": 1}
    return (await buyer.post(ITEMS, json=body)).status_code


async def test_a_cart_whose_only_currency_changed_costs_the_new_one(
    market: Market, buyer: Customer, changing: Json, product: Json, euro_product: Json
) -> None:
    await market.add_to_cart(buyer, changing, 2)
    await _change(market, changing, currency="EUR", price_cents=90)
    cart = (await buyer.get(CART)).json()
    assert (cart["currency"], cart["total_cents"]) == ("EUR", 180)
    assert await _add(buyer, product) == 409
    assert await _add(buyer, euro_product) == 201


async def test_a_cart_that_became_mixed_counts_its_own_currency_only(
    market: Market, buyer: Customer, changing: Json, product: Json, euro_product: Json
) -> None:
    await market.add_to_cart(buyer, product)
    await market.add_to_cart(buyer, changing, 2)
    await _change(market, changing, currency="EUR")
    cart = (await buyer.get(CART)).json()
    assert (cart["currency"], cart["total_cents"]) == ("USD", product["price_cents"])
    assert {item["currency"] for item in cart["items"]} == {"USD", "EUR"}
    assert (await _add(buyer, product), await _add(buyer, euro_product)) == (409, 409)
    await buyer.request("DELETE", f"{ITEMS}/{changing['id']}")
    assert await _add(buyer, product) == 201


async def test_a_withdrawn_product_can_be_set_and_removed_and_not_added(
    market: Market, buyer: Customer, changing: Json
) -> None:
    await market.add_to_cart(buyer, changing)
    await _change(market, changing, active=False)
    assert await _add(buyer, changing) == 404
    path = f"{ITEMS}/{changing['id']}"
    cart = (await buyer.request("PATCH", path, json={"qty": 3})).json()
    assert (cart["items"][0]["qty"], cart["items"][0]["active"]) == (3, False)
    refusal = await market.checkout(buyer)
    assert refusal.status_code == 409
    assert changing["title"] in refusal.json()["detail"]
    assert (await buyer.request("DELETE", path)).json()["items"] == []


async def test_a_product_that_catalog_has_forgotten_stays_in_sight_for_nothing(
    market: Market, buyer: Customer, product: Json, redis: Redis
) -> None:
    forgotten = 10**12
    await market.add_to_cart(buyer, product)
    await redis.hset(f"cart:{buyer.id}", str(forgotten), "5")
    cart = (await buyer.get(CART)).json()
    line = next(item for item in cart["items"] if item["product_id"] == forgotten)
    assert (line["qty"], line["unit_price_cents"], line["active"]) == (5, 0, False)
    assert str(forgotten) in line["title"]
    assert cart["total_cents"] == product["price_cents"]
    assert await _add(buyer, product) == 201
    assert (await market.checkout(buyer)).status_code == 409
    await buyer.request("DELETE", f"{ITEMS}/{forgotten}")
    assert await lines(buyer) == {product["id"]: 2}
