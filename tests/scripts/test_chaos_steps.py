"""How a customer of chaos.py asks again after an answer that was lost."""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from scripts.havoc.calls import Caller, Tally
from scripts.havoc.client import Client
from scripts.havoc.memory import Memory, Purchase
from scripts.havoc.shop import Account
from scripts.havoc.steps import Steps

BUYER = Account("buyer@example.com", "token")


class Forgetful:
    """A shop that takes every request, but answers each from the second on only."""

    def __init__(self) -> None:
        self.heads: list[str] = []

    @property
    def keys(self) -> list[str]:
        """The Idempotency-Keys of all requests."""
        return re.findall(r"(?im)^idempotency-key: *(\S+)\r$", "\n".join(self.heads))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if len(self.heads) > 1:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        writer.close()


@pytest.fixture
async def shop() -> AsyncIterator[tuple[Forgetful, Steps]]:
    forgetful = Forgetful()
    server = await asyncio.start_server(forgetful.answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, aclosing(Caller(f"http://{host}:{port}", Tally())) as caller:
        client = Client(caller, BUYER, random.Random(1), longest_pause=0.01)
        client.deadline = time.monotonic() + 10
        yield forgetful, Steps(client, Memory(), BUYER)


async def test_a_cancellation_is_repeated_under_its_key(shop: tuple[Forgetful, Steps]) -> None:
    forgetful, steps = shop
    purchase = Purchase(BUYER, order_id=7, total_cents=100, currency="USD")
    await steps.cancel(purchase)
    assert purchase.cancelled
    first, second = forgetful.keys
    assert first == second
    assert all(head.startswith("POST /order/v1/orders/7/cancel ") for head in forgetful.heads)


async def test_each_cancellation_has_a_key_of_its_own(shop: tuple[Forgetful, Steps]) -> None:
    forgetful, steps = shop
    for order_id in (7, 8):
        await steps.cancel(Purchase(BUYER, order_id, total_cents=100, currency="USD"))
    lost, repeated, other = forgetful.keys
    assert lost == repeated != other
