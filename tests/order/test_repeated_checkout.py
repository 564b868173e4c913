"""A cart submitted again: by another tab, with another key, after its order was cancelled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5

import httpx
import pytest

from tests.support.market import ADDRESS, Market
from tests.support.people import Customer
from tests.support.processes import APART, ServiceProcess, free_port

Json = dict[str, Any]


@pytest.fixture
async def buyer(market: Market) -> Customer:
    return await market.new_customer()


@asynccontextmanager
async def cart_that_keeps_all(market: Market, stack: Json) -> AsyncIterator[str]:
    """Leads to Cart, but is away for what was bought (503)."""
    port, cart = free_port(), stack["services"]["cart"]["url"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split("\r\n")[0].split(" ")
        if method == "GET":
            answer = await market.api.get(f"{cart}{path}", headers=market.internal_key)
        else:
            answer = httpx.Response(503, json={})
        writer.write(
            f"HTTP/1.1 {answer.status_code} X\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(answer.content)}\r\nConnection: close\r\n\r\n".encode()
            + answer.content
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    yield f"http://127.0.0.1:{port}"
    server.close()


async def order_and_keep_the_cart(market: Market, stack: Json, buyer: Customer) -> Json:
    async with (
        cart_that_keeps_all(market, stack) as cart,
        ServiceProcess("order", stack["env"], CART_BASE=cart, **APART) as copy,
    ):
        answer = await buyer.post(f"{copy.url}/v1/orders/checkout", json=ADDRESS)
    assert answer.status_code == 201, answer.text
    order: Json = answer.json()
    return order


async def test_a_key_that_got_an_earlier_order_gets_it_again(
    market: Market, stack: Json, buyer: Customer, product: Json
) -> None:
    await market.add_to_cart(buyer, product)
    order = await order_and_keep_the_cart(market, stack, buyer)
    key = {"Idempotency-Key": uuid4().hex}
    first = await market.checkout(buyer, **key)
    assert (first.status_code, first.json()["order_id"]) == (201, order["order_id"])
    again = await market.checkout(buyer, **key)
    await market.add_to_cart(buyer, product)
    later = await market.checkout(buyer, **key)
    assert [(a.status_code, a.text) for a in (again, later)] == [(201, first.text)] * 2


async def test_two_tabs_with_a_key_each_get_their_answer_again(market: Market) -> None:
    product = await market.make_product()
    for _ in range(5):
        buyer = await market.new_customer()
        await market.add_to_cart(buyer, product)
        keys = [{"Idempotency-Key": uuid4().hex} for _ in range(2)]
        first = await asyncio.gather(*(market.checkout(buyer, **key) for key in keys))
        again = [await market.checkout(buyer, **key) for key in keys]
        for one, two in zip(first, again, strict=True):
            if one.status_code == 201:
                assert (two.status_code, two.text) == (201, one.text)


async def test_a_cart_that_a_cancelled_order_left_full_is_ordered_anew(
    market: Market, stack: Json, buyer: Customer
) -> None:
    product = await market.make_product(stock=5)
    await market.add_to_cart(buyer, product, 2)
    order = await order_and_keep_the_cart(market, stack, buyer)
    assert (await market.cancel(buyer, order)).status_code == 200
    answers = await asyncio.gather(*(market.checkout(buyer) for _ in range(2)))
    bought = {a.json()["order_id"]: a.json()["status"] for a in answers if a.status_code == 201}
    assert list(bought.values()) == ["CREATED"]
    assert order["order_id"] not in bought
    assert (await buyer.get("/cart/v1/cart")).json()["items"] == []
    await market.wait_for_stock(product, 5, 2)


async def test_many_tabs_at_once_are_one_order(market: Market, stack: Json) -> None:
    product = await market.make_product(stock=100_000)
    url = stack["services"]["order"]["url"]
    for _ in range(20):
        buyer = await market.new_customer()
        await market.add_to_cart(buyer, product)
        answers = await asyncio.gather(
            *(buyer.post(f"{url}/v1/orders/checkout", json=ADDRESS) for _ in range(8))
        )
        assert {a.status_code for a in answers} <= {201, 409}, [a.text for a in answers]
        assert (await buyer.get("/order/v1/orders")).json()["total"] == 1


async def test_a_reservation_that_was_refused_but_not_given_back_is_replaced(
    market: Market, stack: Json, buyer: Customer
) -> None:
    """As when Order dies, or Catalog is away, between the two."""
    product = await market.make_product(stock=5)
    await market.add_to_cart(buyer, product)
    url = {name: service["url"] for name, service in stack["services"].items()}
    me = (await buyer.get("/auth/me")).json()["id"]

    async def ask(method: str, path: str, body: Json | None = None) -> Json:
        answer = await market.api.request(method, path, json=body, headers=market.internal_key)
        assert answer.is_success, answer.text
        said: Json = answer.json()
        return said

    cart = await ask("GET", f"{url['cart']}/internal/carts/{me}")
    lines = [{"product_id": product["id"], "qty": 1}]
    body = {
        "reservation_id": str(uuid4()),
        "request_key": str(uuid5(NAMESPACE_OID, f"{cart['checkout_token']}:{lines}")),
        "items": lines,
    }
    held = await ask("POST", f"{url['catalog']}/internal/reservations", body)
    assert held["reservation_id"] == body["reservation_id"]
    path = f"{url['order']}/internal/reservations/{body['reservation_id']}/claim"
    assert await ask("POST", path) == {"order_id": None}
    assert (await market.checkout(buyer)).status_code == 201
    await market.wait_for_stock(product, 5, 1)
