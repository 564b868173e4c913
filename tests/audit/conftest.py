"""A stack of its own: these tests spoil it, and other tests' stack holds events from nowhere."""

from collections.abc import AsyncIterator

import httpx
import pytest

from scripts.localstack import LocalStack
from tests.support.database import make_query
from tests.support.kafka import Publisher
from tests.support.market import Market
from tests.support.people import make_admin

from .tools import Stand, make_orders


@pytest.fixture(scope="package")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    folder = tmp_path_factory.mktemp("audited")
    with LocalStack(folder, port_base=18500, quiet=True) as local:
        stack = dict(local.info)
        key = {"X-Internal-Key": local.info["env"]["SVC_INTERNAL_KEY"]}
        async with (
            httpx.AsyncClient(base_url=local.info["gateway"], timeout=30) as api,
            Publisher(local.info["kafka"]) as publish,
        ):
            market = Market(await make_admin(api, key), key)
            product = await market.make_product(stock=1000)
            orders = await make_orders(market, product)
            query = make_query(local.info["postgres_dsn"])
            made = Stand(stack, str(folder), market, query, publish, product, orders)
            assert await made.audit(wait=30) == []
            yield made
