"""Two replicas of Catalog beside the stack: a database of their own, a stand-in for Order, no
broker (so that they take no events from the stack's Catalog), and an object store that can go."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from .order_stub import OrderStub
from .relay import Relay, free_port
from .shop import Shop, open_shop

Stack = dict[str, Any]

SERVICE = Path(__file__).parents[2] / "services" / "catalog"
TTL_SECONDS = 0.6


@dataclass
class OwnCatalog:
    shops: list[Shop]
    order: OrderStub
    store: Relay
    query: Callable[..., Awaitable[list[Any]]]


@asynccontextmanager
async def run_replicas(
    stack: Stack, dsn: str, query: Callable[..., Awaitable[list[Any]]]
) -> AsyncIterator[OwnCatalog]:
    order, store = OrderStub(), Relay(int(stack["s3_endpoint"].rpartition(":")[2]))
    env = {
        **os.environ,
        **stack["env"],
        "POSTGRES_DSN": dsn,
        "KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "ORDER_BASE": f"http://127.0.0.1:{order.port}",
        "RESERVATION_TTL": str(TTL_SECONDS),
        "S3_ENDPOINT": f"http://127.0.0.1:{store.port}",
        "S3_BUCKET": f"own-{uuid4().hex}",
    }
    migration = await _run(env, "alembic", "upgrade", "head")
    assert await migration.wait() == 0
    async with AsyncExitStack() as exits:
        shops = [await exits.enter_async_context(_replica(env)) for _ in range(2)]
        yield OwnCatalog(shops, order, store, query)
        await store.stop()


@asynccontextmanager
async def _replica(env: dict[str, str]) -> AsyncIterator[Shop]:
    port = free_port()
    process = await _run({**env, "UVICORN_PORT": str(port)}, "uvicorn", "app.main:app")
    url = f"http://127.0.0.1:{port}"
    try:
        async with open_shop(url, url) as shop:
            await _until_healthy(shop)
            yield shop
    finally:
        process.terminate()
        await process.wait()


async def _run(env: dict[str, str], module: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=SERVICE, env=env
    )


async def _until_healthy(shop: Shop) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                if (await shop.anyone.get("/health")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
