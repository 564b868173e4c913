"""A checkout that is slower than Catalog's sweeper, and totals for any prices and quantities."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import hypothesis
import hypothesis.strategies as st
import pytest

from tests.support.market import ADDRESS, Market
from tests.support.people import Customer
from tests.support.processes import APART, ServiceProcess, free_port

Json = dict[str, Any]


class SlowCatalog:
    """Leads to Catalog, but lets its sweeper find the first few reservations before Order hears
    of them, as if the answers had been on their way for too long."""

    def __init__(self, market: Market, stack: Json, *, too_late: int) -> None:
        self.catalog = stack["services"]["catalog"]["url"]
        self.order = stack["services"]["order"]["url"]
        self.market = market
        self.too_late = too_late
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        yield
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = lines[0].split(" ")
        answer = await self._forward(method, path, body)
        content = answer.content
        writer.write(
            f"HTTP/1.1 {answer.status_code} X\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode()
            + content
        )
        await writer.drain()
        writer.close()

    async def _forward(self, method: str, path: str, body: bytes) -> httpx.Response:
        headers = {**self.market.internal_key, "Content-Type": "application/json"}
        api = self.market.api
        url = f"{self.catalog}{path}"
        answer = await api.request(method, url, content=body, headers=headers)
        if path.endswith("/reservations") and self.too_late:
            self.too_late -= 1
            id_ = answer.json()["reservation_id"]
            claim = f"{self.order}/internal/reservations/{id_}/claim"
            assert (await api.post(claim, headers=headers)).json() == {"order_id": None}
            release = f"{self.catalog}/internal/reservations/{id_}/release"
            assert (await api.post(release, headers=headers)).json() == {"status": "RELEASED"}
        return answer


@pytest.fixture
async def buyer(market: Market) -> Customer:
    return await market.new_customer()


@pytest.mark.parametrize(("too_late", "status"), [(1, 201), (9, 503)])
async def test_a_checkout_slower_than_the_sweeper_never_sells_released_goods(
    market: Market, stack: Json, buyer: Customer, too_late: int, status: int
) -> None:
    product = await market.make_product(stock=1)
    await market.add_to_cart(buyer, product)
    catalog = SlowCatalog(market, stack, too_late=too_late)
    async with (
        catalog.serving(),
        ServiceProcess("order", stack["env"], CATALOG_BASE=catalog.url, **APART) as copy,
    ):
        answer = await buyer.post(f"{copy.url}/v1/orders/checkout", json=ADDRESS)
    assert answer.status_code == status, answer.text
    ordered = status == 201
    assert await market.stock(product) == (1, 1 if ordered else 0)
    assert (await buyer.get("/order/v1/orders")).json()["total"] == int(ordered)
    if not ordered:
        assert answer.json()["code"] == "checkout_expired"
        assert answer.headers["retry-after"]
        assert (await market.checkout(buyer)).status_code == 201


LINES = st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**6)), min_size=1, max_size=3)


def test_a_total_is_the_sum_of_its_lines_to_the_cent(
    market: Market, request: pytest.FixtureRequest
) -> None:
    runner = request.getfixturevalue("_session_scoped_runner")

    @hypothesis.settings(max_examples=8, database=None)
    @hypothesis.given(LINES)
    @hypothesis.example([(10**9, 10**6)] * 3)
    @hypothesis.example([(0, 1)])
    def check(lines: list[tuple[int, int]]) -> None:
        runner.run(_order_and_pay(market, lines))

    check()


async def _order_and_pay(market: Market, lines: list[tuple[int, int]]) -> None:
    buyer = await market.new_customer()
    for price, qty in lines:
        product = await market.make_product(stock=qty, price_cents=price)
        await market.add_to_cart(buyer, product, qty)
    order = (await market.checkout(buyer)).json()
    total = sum(price * qty for price, qty in lines)
    assert order["total_cents"] == total
    assert sum(i["qty"] * i["unit_price_cents"] for i in order["items"]) == total
    assert (await market.pay(buyer, order)).json()["amount_cents"] == total
