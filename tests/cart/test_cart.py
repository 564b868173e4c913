"""Carts, through the gateway and with the real Catalog behind them."""

import asyncio

import pytest

from tests.cart.doors import CART, ITEMS, Json, lines
from tests.support.market import Market
from tests.support.people import Customer


async def test_an_added_item_is_in_the_cart(market: Market, buyer: Customer, product: Json) -> None:
    response = await buyer.post(ITEMS, json={"product_id": product["id"], "qty": 2})
    assert response.status_code == 201
    cart = response.json()
    line = cart["items"][0]
    assert {name: line[name] for name in ("product_id", "title", "qty", "unit_price_cents")} == {
        "product_id": product["id"],
        "title": product["title"],
        "qty": 2,
        "unit_price_cents": product["price_cents"],
    }
    assert line["currency"] == "USD"
    assert (cart["total_cents"], cart["currency"]) == (2 * product["price_cents"], "USD")
    assert (await buyer.get(CART)).json() == cart


async def test_adding_again_adds_up(market: Market, buyer: Customer, product: Json) -> None:
    await market.add_to_cart(buyer, product, 2)
    await market.add_to_cart(buyer, product, 3)
    assert await lines(buyer) == {product["id"]: 5}


async def test_parallel_adds_add_up_exactly(market: Market, buyer: Customer, product: Json) -> None:
    await asyncio.gather(*(market.add_to_cart(buyer, product, 2) for _ in range(25)))
    assert await lines(buyer) == {product["id"]: 50}


async def test_an_empty_cart_is_empty(buyer: Customer) -> None:
    cart = (await buyer.get(CART + "/")).json()
    assert (cart["items"], cart["total_cents"]) == ([], 0)


async def test_doors_open_with_a_slash_at_the_end_too(buyer: Customer, product: Json) -> None:
    body = {"product_id": product["id"], "qty": 1}
    answers = [
        await buyer.post(f"{ITEMS}/", json=body),
        await buyer.request("PATCH", f"{ITEMS}/{product['id']}/", json={"qty": 2}),
        await buyer.request("DELETE", f"{ITEMS}/{product['id']}/"),
        await buyer.request("DELETE", f"{CART}/"),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]


async def test_carts_are_ones_own(market: Market, buyer: Customer, product: Json) -> None:
    await market.add_to_cart(buyer, product)
    other = await market.new_customer()
    assert await lines(other) == {}


async def test_a_quantity_can_be_set(market: Market, buyer: Customer, product: Json) -> None:
    await market.add_to_cart(buyer, product, 2)
    response = await buyer.request("PATCH", f"{ITEMS}/{product['id']}", json={"qty": 7})
    assert (response.status_code, response.json()["items"][0]["qty"]) == (200, 7)


async def test_what_is_not_in_the_cart_has_no_quantity(buyer: Customer, product: Json) -> None:
    response = await buyer.request("PATCH", f"{ITEMS}/{product['id']}", json={"qty": 7})
    assert response.status_code == 404


async def test_items_and_carts_can_be_deleted_however_often(
    market: Market, buyer: Customer, product: Json
) -> None:
    other = await market.make_product()
    await market.add_to_cart(buyer, product)
    await market.add_to_cart(buyer, other)
    for _ in range(2):
        response = await buyer.request("DELETE", f"{ITEMS}/{product['id']}")
        assert response.status_code == 200
        assert [item["product_id"] for item in response.json()["items"]] == [other["id"]]
    for _ in range(2):
        response = await buyer.request("DELETE", CART)
        assert (response.status_code, response.json()["items"]) == (200, [])


async def test_unknown_and_inactive_products_are_not_found(market: Market, buyer: Customer) -> None:
    inactive = await market.make_product(active=False)
    for product_id in (inactive["id"], 999_999_999, 2**63 - 1):
        response = await buyer.post(ITEMS, json={"product_id": product_id, "qty": 1})
        assert response.status_code == 404


async def test_another_currency_is_a_conflict(
    market: Market, buyer: Customer, product: Json, euro_product: Json
) -> None:
    await market.add_to_cart(buyer, product)
    response = await buyer.post(ITEMS, json={"product_id": euro_product["id"], "qty": 1})
    assert response.status_code == 409
    assert await lines(buyer) == {product["id"]: 1}


async def test_an_emptied_cart_takes_another_currency(
    market: Market, buyer: Customer, product: Json, euro_product: Json
) -> None:
    await market.add_to_cart(buyer, product)
    await buyer.request("DELETE", f"{ITEMS}/{product['id']}")
    assert (await market.add_to_cart(buyer, euro_product))["currency"] == "EUR"


async def test_the_sum_of_a_line_is_bounded(market: Market, buyer: Customer, product: Json) -> None:
    await market.add_to_cart(buyer, product, 1_000_000)
    response = await buyer.post(ITEMS, json={"product_id": product["id"], "qty": 1})
    assert response.status_code in (409, 422)
    assert await lines(buyer) == {product["id"]: 1_000_000}


async def test_prices_are_catalogs_current_ones_and_withdrawn_products_stay_in_sight(
    market: Market, buyer: Customer
) -> None:
    product = await market.make_product(price_cents=100)
    await market.add_to_cart(buyer, product, 2)
    change = {"price_cents": 150, "active": False}
    await market.admin.request("PATCH", f"/catalog/v1/products/{product['id']}", json=change)
    cart = (await buyer.get(CART)).json()
    assert (cart["total_cents"], cart["items"][0]["title"]) == (300, product["title"])


@pytest.mark.parametrize(
    "change",
    [
        {"qty": 0},
        {"qty": -1},
        {"qty": 1_000_001},
        {"qty": True},
        {"qty": 1.0},
        {"qty": "1"},
        {"qty": None},
        {"product_id": 0},
        {"product_id": 2**63},
        {"product_id": [1]},
    ],
)
async def test_a_bad_item_is_refused_by_name(
    customer: Customer, product: Json, change: Json
) -> None:
    response = await customer.post(ITEMS, json={"product_id": product["id"], "qty": 1, **change})
    assert response.status_code == 422
    assert next(iter(change)) in response.json()["detail"]
    if "qty" in change:
        path = f"{ITEMS}/{product['id']}"
        assert (await customer.request("PATCH", path, json=change)).status_code == 422


async def test_only_customers_have_carts(market: Market, product: Json) -> None:
    calls = [
        ("GET", CART),
        ("POST", ITEMS),
        ("PATCH", f"{ITEMS}/1"),
        ("DELETE", f"{ITEMS}/1"),
        ("DELETE", CART),
    ]
    for method, path in calls:
        assert (await market.api.request(method, path, content=b"{")).status_code == 401
        assert (await market.admin.request(method, path, content=b"{")).status_code == 403


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_json_is_refused(
    customer: Customer, product: Json, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    for method, path in (("POST", ITEMS), ("PATCH", f"{ITEMS}/{product['id']}")):
        answer = await customer.request(method, path, content=b'{"qty": 1}', headers=headers)
        assert answer.status_code == 415


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"null", 422),
        (b"\xff", 422),
        (b'{"product_id": 1, "qty": NaN}', 422),
        (b'{"product_id": 1, "qty": "\\ud800"}', 422),
        (b'{"product_id": 1' + b"0" * 30 + b', "qty": 1' + b"0" * 30 + b"}", 422),
        (b"[" * 100_000, 422),
        (b'{"qty": ' + b" " * 2**20 + b"1}", 413),
    ],
)
async def test_a_malformed_body_is_refused(
    customer: Customer, product: Json, content: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    for method, path in (("POST", ITEMS), ("PATCH", f"{ITEMS}/{product['id']}")):
        answer = await customer.request(method, path, content=content, headers=headers)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("product_id", ["abc", "0", "-1", str(2**63), "9" * 500, "1%0a2", "%ff"])
async def test_a_path_that_is_no_product_is_refused(customer: Customer, product_id: str) -> None:
    for method, json in (("PATCH", {"qty": 1}), ("DELETE", None)):
        answer = await customer.request(method, f"{ITEMS}/{product_id}", json=json)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_method_that_is_not_there_is_refused(customer: Customer) -> None:
    for method, path in (("PUT", CART), ("GET", ITEMS), ("POST", f"{ITEMS}/1")):
        assert (await customer.request(method, path)).status_code == 405
