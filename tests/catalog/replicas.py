"""Two replicas of Catalog beside the stack: a database of their own, a stand-in for Order, no
broker (so that they take no events from the stack's Catalog), and an object store that can go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.support.database import Query, make_query
from tests.support.processes import APART, ServiceProcess, TcpProxy

from .order_stub import OrderStub
from .shop import Shop, open_shop

Stack = dict[str, Any]

TTL_SECONDS = 0.6


@dataclass
class OwnCatalog:
    shops: list[Shop]
    order: OrderStub
    store: TcpProxy
    query: Query


@asynccontextmanager
async def run_replicas(stack: Stack, dsn: str) -> AsyncIterator[OwnCatalog]:
    order, store = OrderStub(), TcpProxy(stack["s3_endpoint"].removeprefix("http://"))
    env = stack["env"] | {
        "POSTGRES_DSN": dsn,
        **APART,
        "ORDER_BASE": f"http://127.0.0.1:{order.port}",
        "RESERVATION_TTL": str(TTL_SECONDS),
        "S3_ENDPOINT": f"http://{store.address}",
        "S3_BUCKET": f"own-{uuid4().hex}",
    }
    async with (
        ServiceProcess("catalog", env) as first,
        ServiceProcess("catalog", env) as second,
        open_shop(first.url, first.url) as one,
        open_shop(second.url, second.url) as other,
    ):
        yield OwnCatalog([one, other], order, store, make_query(dsn))
        await store.down()
