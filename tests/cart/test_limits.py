"""How much a cart holds, and for how long; also when requests come at once."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from tests.cart.doors import CART, ITEMS, Internal, Json, lines
from tests.support.market import Market
from tests.support.people import Customer
from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

FULL = 100
MOST = 1_000_000
DAY = 86_400


async def _fill(redis: Redis, buyer: Customer, count: int) -> None:
    """Lines of products that nobody knows, as if Catalog had forgotten them."""
    cart: dict[Any, Any] = {10**12 + number: 1 for number in range(count)}
    cart |= {"currency": "USD", "checkout_token": uuid4().hex}
    await redis.hset(f"cart:{buyer.id}", mapping=cart)


async def _add_at_once(buyer: Customer, products: list[Json], qty: int = 1) -> Counter[int]:
    """How many got which status."""
    bodies = [{"product_id": product["id"], "qty": qty} for product in products]
    answers = await asyncio.gather(*(buyer.post(ITEMS, json=body) for body in bodies))
    return Counter(answer.status_code for answer in answers)


async def test_a_full_cart_takes_more_of_its_products_and_no_other(
    market: Market, buyer: Customer, product: Json, redis: Redis
) -> None:
    await _fill(redis, buyer, FULL - 1)
    await market.add_to_cart(buyer, product)
    cart = await market.add_to_cart(buyer, product)
    assert len(cart["items"]) == FULL
    other = await market.make_product(stock=0)
    refusal = await buyer.post(ITEMS, json={"product_id": other["id"], "qty": 1})
    assert (refusal.status_code, refusal.json()["code"]) == (409, "cart_full")
    assert str(FULL) in refusal.json()["detail"]


async def test_of_two_products_at_once_one_gets_the_last_line(
    market: Market, buyer: Customer, product: Json, redis: Redis
) -> None:
    other = await market.make_product(stock=0)
    await _fill(redis, buyer, FULL - 1)
    assert await _add_at_once(buyer, [product, other]) == {201: 1, 409: 1}
    assert len(await lines(buyer)) == FULL


async def test_of_two_currencies_at_once_one_gets_the_empty_cart(
    market: Market, buyer: Customer, product: Json, euro_product: Json
) -> None:
    statuses = await _add_at_once(buyer, [product, euro_product] * 5)
    assert statuses == {201: 5, 409: 5}
    cart = (await buyer.get(CART)).json()
    assert [item["qty"] for item in cart["items"]] == [5]


async def test_parallel_adds_stop_at_the_most(
    market: Market, buyer: Customer, product: Json
) -> None:
    await market.add_to_cart(buyer, product, MOST - 6)
    assert await _add_at_once(buyer, [product] * 6, qty=2) == {201: 3, 409: 3}
    assert await lines(buyer) == {product["id"]: MOST}


async def test_a_set_quantity_is_bounded_and_not_added(
    market: Market, buyer: Customer, product: Json
) -> None:
    await market.add_to_cart(buyer, product, MOST)
    path = f"{ITEMS}/{product['id']}"
    assert (await buyer.request("PATCH", path, json={"qty": MOST})).status_code == 200
    assert (await buyer.request("PATCH", path, json={"qty": MOST + 1})).status_code == 422
    assert await lines(buyer) == {product["id"]: MOST}


async def test_a_change_makes_a_cart_last_its_time_anew_and_a_look_does_not(
    market: Market, buyer: Customer, product: Json, redis: Redis
) -> None:
    await market.add_to_cart(buyer, product)
    key = f"cart:{buyer.id}"
    assert 30 * DAY - 60 <= await redis.ttl(key) <= 30 * DAY
    await redis.expire(key, DAY)
    await buyer.get(CART)
    await buyer.request("DELETE", f"{ITEMS}/1000000000000")
    assert await redis.ttl(key) <= DAY
    await buyer.request("PATCH", f"{ITEMS}/{product['id']}", json={"qty": 2})
    assert await redis.ttl(key) > DAY


async def test_a_cart_that_nobody_changes_is_forgotten(
    market: Market, buyer: Customer, product: Json, stack: Json, internal: Internal
) -> None:
    async with ServiceProcess("cart", stack["env"], CART_TTL="1") as copy:
        body = {"product_id": product["id"], "qty": 1}
        assert (await buyer.post(f"{copy.url}/v1/cart/items", json=body)).status_code == 201

        async def forgotten() -> bool:
            return await internal.get() == {"checkout_token": None, "items": []}

        await eventually(forgotten, within=5)
    assert (await buyer.get(CART)).json() == {"items": [], "total_cents": 0, "currency": None}
