"""Redis or Catalog away, at start and later: 503, and back by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest
from redis.asyncio import Redis

from tests.cart.doors import CART, Internal, Json, lines
from tests.support.market import Market
from tests.support.people import Customer
from tests.support.processes import ServiceProcess, TcpProxy
from tests.support.waiting import eventually


class Copy(ServiceProcess):
    """A Cart whose Redis is behind a proxy."""

    def __init__(self, stack: Json, **changes: str) -> None:
        self.proxy = TcpProxy(urlsplit(stack["redis_url"]).netloc)
        super().__init__(
            "cart", stack["env"], REDIS_URL=f"redis://{self.proxy.address}/0", **changes
        )
        self.cart = f"{self.url}/v1/cart"

    async def add(self, buyer: Customer, product: Json) -> httpx.Response:
        body = {"product_id": product["id"], "qty": 1}
        return await buyer.post(f"{self.cart}/items", json=body)

    async def answer_to_each_call(
        self, buyer: Customer, product: Json, internal: Internal
    ) -> list[httpx.Response]:
        item = f"{self.cart}/items/{product['id']}"
        carts = f"{self.url}/internal/carts/{buyer.id}"
        done = {"checkout_token": "x", "items": []}
        return [
            await buyer.get(self.cart),
            await self.add(buyer, product),
            await buyer.request("PATCH", item, json={"qty": 1}),
            await buyer.request("DELETE", item),
            await buyer.request("DELETE", self.cart),
            await internal.api.get(carts, headers=internal.key),
            await internal.api.post(f"{carts}/checked-out", json=done, headers=internal.key),
        ]

    async def works(self, buyer: Customer) -> bool:
        return (await buyer.get(self.cart)).status_code == 200


@pytest.fixture(scope="module")
async def copy(stack: Json) -> AsyncIterator[Copy]:
    async with Copy(stack) as copy, copy.proxy:
        yield copy


async def test_without_redis_each_call_says_so_from_the_start_on_and_recovers_by_itself(
    market: Market, buyer: Customer, product: Json, stack: Json, internal: Internal
) -> None:
    async with Copy(stack) as copy:
        for away_since in ("start", "later"):
            for answer in await copy.answer_to_each_call(buyer, product, internal):
                assert answer.status_code == 503, (away_since, answer.request, answer.text)
                assert answer.headers["retry-after"]
                assert answer.headers["content-type"] == "application/problem+json"
                assert "redis" in answer.json()["detail"].lower()
            health = await market.api.get(f"{copy.url}/health")
            assert health.status_code == 503
            assert health.json()["checks"]["redis"] != "ok"
            assert (await market.api.get(f"{copy.url}/livez")).status_code == 200
            await copy.proxy.up()
            await eventually(lambda: copy.works(buyer))
            health = await market.api.get(f"{copy.url}/health")
            assert health.status_code == 200
            assert health.json()["checks"] == {"redis": "ok", "catalog": "ok"}
            await copy.proxy.down()


@pytest.mark.parametrize("how", ["by the server", "in between"])
async def test_connections_closed_while_idle_cost_no_request_and_no_add(
    copy: Copy, buyer: Customer, product: Json, redis: Redis, how: str
) -> None:
    await asyncio.gather(*(copy.add(buyer, product) for _ in range(8)))
    if how == "by the server":
        await redis.client_kill_filter(_type="normal")
    else:
        await copy.proxy.down()
        await copy.proxy.up()
    answers = await asyncio.gather(*(copy.add(buyer, product) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert await lines(buyer) == {product["id"]: 16}


async def test_a_redis_that_forgot_the_scripts_is_taught_again(
    copy: Copy, buyer: Customer, product: Json, redis: Redis
) -> None:
    await copy.add(buyer, product)
    await redis.script_flush()
    assert (await copy.add(buyer, product)).status_code == 201
    assert await lines(buyer) == {product["id"]: 2}


async def _stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        await reader.read()
    writer.close()


async def test_a_redis_that_does_not_answer_is_given_up_in_time(
    copy: Copy, market: Market, buyer: Customer, product: Json
) -> None:
    silent = await asyncio.start_server(_stay_silent, "127.0.0.1", 0)
    there = copy.proxy.target_port
    copy.proxy.target_port = silent.sockets[0].getsockname()[1]
    await copy.proxy.down()
    await copy.proxy.up()
    since = time.monotonic()
    calls = [copy.add(buyer, product) for _ in range(50)]
    health, *answers = await asyncio.gather(market.api.get(f"{copy.url}/health"), *calls)
    assert {answer.status_code for answer in [health, *answers]} == {503}
    assert time.monotonic() - since < 8
    copy.proxy.target_port = there
    await copy.proxy.down()
    silent.close()
    await copy.proxy.up()
    await eventually(lambda: copy.works(buyer))
    assert (await copy.add(buyer, product)).status_code == 201


async def test_without_catalog_nothing_changes_but_a_cart_can_be_emptied(
    market: Market, buyer: Customer, product: Json, stack: Json, internal: Internal
) -> None:
    await market.add_to_cart(buyer, product)
    async with Copy(stack, CATALOG_BASE="http://127.0.0.1:9") as copy, copy.proxy:
        answers = await copy.answer_to_each_call(buyer, product, internal)
        shown, for_order = answers[:4], answers[5:]
        assert {answer.status_code for answer in shown} == {503}
        assert {answer.json()["code"] for answer in shown} == {"dependency_unavailable"}
        assert all(answer.headers["retry-after"] for answer in shown)
        assert answers[4].status_code == 200
        assert {answer.status_code for answer in for_order} == {200}
        health = await market.api.get(f"{copy.url}/health")
        assert (health.status_code, health.json()["status"]) == (200, "ok")
        assert health.json()["checks"]["catalog"] != "ok"
    assert (await buyer.get(CART)).json()["items"] == []
