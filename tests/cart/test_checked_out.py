"""What Order does with a cart: reads it, and takes out what was bought, once."""

import asyncio
from typing import Any

import pytest

from tests.cart.doors import CART, Internal, Json, lines
from tests.support.market import Market
from tests.support.people import Customer


async def test_an_empty_cart_has_no_token(internal: Internal) -> None:
    assert await internal.get() == {"checkout_token": None, "items": []}


async def test_a_cart_is_read_in_product_order(
    market: Market, buyer: Customer, product: Json, internal: Internal
) -> None:
    later = await market.make_product()
    await market.add_to_cart(buyer, later, 2)
    await market.add_to_cart(buyer, product, 3)
    expected = [
        {"product_id": product["id"], "qty": 3},
        {"product_id": later["id"], "qty": 2},
    ]
    assert (await internal.get())["items"] == expected


async def test_a_checkout_takes_out_what_was_bought_once(
    market: Market, buyer: Customer, product: Json, internal: Internal
) -> None:
    other = await market.make_product()
    await market.add_to_cart(buyer, product, 2)
    token = (await internal.get())["checkout_token"]
    await market.add_to_cart(buyer, product, 1)
    await market.add_to_cart(buyer, other, 4)
    assert (await internal.get())["checkout_token"] == token
    for _ in range(2):
        left = await internal.check_out(token, {product["id"]: 2})
        assert left["checkout_token"] not in (None, token)
        assert await lines(buyer) == {product["id"]: 1, other["id"]: 4}


async def test_a_cart_that_was_bought_whole_has_no_token(
    market: Market, buyer: Customer, product: Json, internal: Internal
) -> None:
    await market.add_to_cart(buyer, product, 2)
    token = (await internal.get())["checkout_token"]
    left = await internal.check_out(token, {product["id"]: 2})
    assert left == {"checkout_token": None, "items": []}
    await market.add_to_cart(buyer, product, 2)
    assert (await internal.get())["checkout_token"] not in (None, token)


async def test_what_was_taken_out_or_lowered_meanwhile_does_not_go_below_nothing(
    market: Market, buyer: Customer, product: Json, internal: Internal
) -> None:
    other = await market.make_product()
    await market.add_to_cart(buyer, product, 1)
    token = (await internal.get())["checkout_token"]
    left = await internal.check_out(token, {product["id"]: 5, other["id"]: 3})
    assert left == {"checkout_token": None, "items": []}


async def test_an_emptied_cart_starts_with_another_token(
    market: Market, buyer: Customer, product: Json, internal: Internal
) -> None:
    await market.add_to_cart(buyer, product)
    token = (await internal.get())["checkout_token"]
    await buyer.request("DELETE", CART)
    await market.add_to_cart(buyer, product)
    left = await internal.check_out(token, {product["id"]: 1})
    assert left["items"] == [{"product_id": product["id"], "qty": 1}]


async def test_the_same_checkout_at_once_and_adds_between_count_once_each(
    market: Market, buyer: Customer, product: Json, internal: Internal
) -> None:
    await market.add_to_cart(buyer, product, 7)
    token = (await internal.get())["checkout_token"]
    await asyncio.gather(
        *(internal.check_out(token, {product["id"]: 7}) for _ in range(8)),
        *(market.add_to_cart(buyer, product, 2) for _ in range(8)),
    )
    assert await lines(buyer) == {product["id"]: 16}


async def test_internal_calls_need_the_key_and_are_not_behind_the_gateway(
    market: Market, internal: Internal
) -> None:
    checked_out = f"{internal.path}/checked-out"
    for key in ({}, {"X-Internal-Key": "wrong"}):
        assert (await market.api.get(internal.path, headers=key)).status_code == 403
        answer = await market.api.post(checked_out, content=b"{", headers=key)
        assert answer.status_code == 403
    through = internal.path[internal.path.index("/internal") :]
    for path in (f"/cart{through}", f"/cart/{through}", f"/cart/v1/..{through}"):
        assert (await market.api.get(path, headers=internal.key)).status_code == 404


LINE: Json = {"product_id": 1, "qty": 1}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"checkout_token": "x"},
        {"checkout_token": None, "items": [LINE]},
        {"checkout_token": "", "items": [LINE]},
        {"checkout_token": "x" * 101, "items": [LINE]},
        {"checkout_token": "x", "items": [{**LINE, "qty": 0}]},
        {"checkout_token": "x", "items": [{**LINE, "product_id": 2**63}]},
        {"checkout_token": "x", "items": [LINE] * 101},
    ],
)
async def test_a_malformed_checkout_is_refused(
    market: Market, internal: Internal, body: Any
) -> None:
    path = f"{internal.path}/checked-out"
    answer = await market.api.post(path, json=body, headers=internal.key)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
