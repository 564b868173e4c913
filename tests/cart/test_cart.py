"""Carts, through the gateway and with the real Catalog behind them."""

import asyncio
from typing import Any
from uuid import uuid4

import hypothesis
import hypothesis.strategies as st
import pytest

from tests.support.market import Market
from tests.support.people import Customer
from tests.support.processes import ServiceProcess, TcpProxy
from tests.support.waiting import eventually

Json = dict[str, Any]
CART = "/cart/v1/cart"
ITEMS = "/cart/v1/cart/items"


@pytest.fixture
async def buyer(market: Market) -> Customer:
    return await market.new_customer()


@pytest.fixture(scope="session")
async def euro_product(market: Market) -> Json:
    return await market.make_product(currency="EUR")


async def _lines(buyer: Customer) -> dict[int, int]:
    cart = (await buyer.get(CART)).json()
    return {item["product_id"]: item["qty"] for item in cart["items"]}


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
    assert await _lines(buyer) == {product["id"]: 5}


async def test_parallel_adds_add_up_exactly(market: Market, buyer: Customer, product: Json) -> None:
    await asyncio.gather(*(market.add_to_cart(buyer, product, 2) for _ in range(25)))
    assert await _lines(buyer) == {product["id"]: 50}


async def test_an_empty_cart_is_empty(buyer: Customer) -> None:
    cart = (await buyer.get(CART + "/")).json()
    assert (cart["items"], cart["total_cents"]) == ([], 0)


async def test_carts_are_ones_own(market: Market, buyer: Customer, product: Json) -> None:
    await market.add_to_cart(buyer, product)
    other = await market.new_customer()
    assert await _lines(other) == {}


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
    assert await _lines(buyer) == {product["id"]: 1}


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
    assert await _lines(buyer) == {product["id"]: 1_000_000}


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


class Internal:
    """Cart's calls for Order."""

    def __init__(self, market: Market, stack: Json, buyer: Customer) -> None:
        self.api = market.api
        self.path = f"{stack['services']['cart']['url']}/internal/carts/{buyer.id}"
        self.key = market.internal_key

    async def get(self) -> Json:
        response = await self.api.get(self.path, headers=self.key)
        assert response.status_code == 200, response.text
        cart: Json = response.json()
        return cart

    async def check_out(self, token: str, lines: dict[int, int]) -> Json:
        items = [{"product_id": id_, "qty": qty} for id_, qty in lines.items()]
        body = {"checkout_token": token, "items": items}
        path = f"{self.path}/checked-out"
        response = await self.api.post(path, json=body, headers=self.key)
        assert response.status_code == 200, response.text
        cart: Json = response.json()
        return cart


async def test_a_checkout_takes_out_what_was_bought_once(
    market: Market, buyer: Customer, product: Json, stack: Json
) -> None:
    other = await market.make_product()
    await market.add_to_cart(buyer, product, 2)
    internal = Internal(market, stack, buyer)
    token = (await internal.get())["checkout_token"]
    await market.add_to_cart(buyer, product, 1)
    await market.add_to_cart(buyer, other, 4)
    assert (await internal.get())["checkout_token"] == token
    for _ in range(2):
        left = await internal.check_out(token, {product["id"]: 2})
        assert left["checkout_token"] not in (None, token)
        assert await _lines(buyer) == {product["id"]: 1, other["id"]: 4}


async def test_a_cart_that_was_bought_whole_has_no_token(
    market: Market, buyer: Customer, product: Json, stack: Json
) -> None:
    await market.add_to_cart(buyer, product, 2)
    internal = Internal(market, stack, buyer)
    token = (await internal.get())["checkout_token"]
    left = await internal.check_out(token, {product["id"]: 2})
    assert left == {"checkout_token": None, "items": []}
    await market.add_to_cart(buyer, product, 2)
    assert (await internal.get())["checkout_token"] not in (None, token)


async def test_internal_calls_need_the_key_and_are_not_behind_the_gateway(
    market: Market, buyer: Customer, stack: Json
) -> None:
    internal = Internal(market, stack, buyer)
    assert (await market.api.get(internal.path)).status_code == 403
    assert (await market.api.post(f"{internal.path}/checked-out", content=b"{")).status_code == 403
    through = f"/cart/internal/carts/{buyer.id}"
    assert (await market.api.get(through, headers=internal.key)).status_code == 404


async def test_without_redis_the_cart_says_so_and_recovers_by_itself(
    market: Market, buyer: Customer, product: Json, stack: Json
) -> None:
    proxy = TcpProxy(stack["redis_url"].removeprefix("redis://").split("/")[0])
    async with ServiceProcess("cart", stack["env"], REDIS_URL=f"redis://{proxy.address}/0") as copy:

        async def works() -> bool:
            return (await buyer.get(f"{copy.url}/v1/cart")).status_code == 200

        for away_since in ("start", "later"):
            for method, path in (("GET", "cart"), ("POST", "cart/items"), ("DELETE", "cart")):
                body = {"product_id": product["id"], "qty": 1} if method == "POST" else None
                answer = await buyer.request(method, f"{copy.url}/v1/{path}", json=body)
                assert answer.status_code == 503, (away_since, answer.text)
                assert answer.headers["retry-after"]
                assert "redis" in answer.json()["detail"].lower()
            health = await market.api.get(f"{copy.url}/health")
            assert health.status_code == 503
            assert health.json()["checks"]["redis"] != "ok"
            assert (await market.api.get(f"{copy.url}/livez")).status_code == 200
            await proxy.up()
            await eventually(works)
            assert (await market.api.get(f"{copy.url}/health")).status_code == 200
            await proxy.down()


async def test_without_catalog_nothing_is_added(
    market: Market, buyer: Customer, product: Json, stack: Json
) -> None:
    await market.add_to_cart(buyer, product)
    async with ServiceProcess("cart", stack["env"], CATALOG_BASE="http://127.0.0.1:9") as copy:
        body = {"product_id": product["id"], "qty": 1}
        answer = await buyer.post(f"{copy.url}/v1/cart/items", json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "dependency_unavailable")
        assert answer.headers["retry-after"]
    assert await _lines(buyer) == {product["id"]: 1}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "set", "remove", "buy"]), st.integers(0, 2), st.integers(1, 9)
    ),
    max_size=8,
)


def test_a_cart_is_what_was_done_to_it(
    market: Market, stack: Json, request: pytest.FixtureRequest
) -> None:
    """Against a plain dictionary, whatever the order of the steps."""
    runner = request.getfixturevalue("_session_scoped_runner")
    products = runner.run(_make_three(market))

    @hypothesis.settings(max_examples=12, deadline=None, database=None)
    @hypothesis.given(STEPS)
    def check(steps: list[tuple[str, int, int]]) -> None:
        runner.run(_play(market, stack, products, steps))

    check()


async def _make_three(market: Market) -> list[Json]:
    return [await market.make_product() for _ in range(3)]


async def _play(
    market: Market, stack: Json, products: list[Json], steps: list[tuple[str, int, int]]
) -> None:
    buyer = await market.new_customer()
    internal = Internal(market, stack, buyer)
    model: dict[int, int] = {}
    for step, index, qty in steps:
        id_ = products[index]["id"]
        if step == "add":
            await market.add_to_cart(buyer, products[index], qty)
            model[id_] = model.get(id_, 0) + qty
        elif step == "set":
            await buyer.request("PATCH", f"{ITEMS}/{id_}", json={"qty": qty})
            model |= {id_: qty} if id_ in model else {}
        elif step == "remove":
            await buyer.request("DELETE", f"{ITEMS}/{id_}")
            model.pop(id_, None)
        else:
            token = (await internal.get())["checkout_token"] or uuid4().hex
            await internal.check_out(token, {id_: qty})
            model[id_] = model.get(id_, 0) - qty
        model = {key: value for key, value in model.items() if value > 0}
        assert await _lines(buyer) == model
