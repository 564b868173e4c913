"""Stacks of these tests' own, with limits that suit them: one that is broken, one with replicas."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from scripts.localstack import LocalStack
from tests.audit.tools import Stand
from tests.support.database import make_query
from tests.support.gateway import ReplicaGateway
from tests.support.kafka import EventLog, Publisher
from tests.support.market import Market
from tests.support.people import make_admin

from .pair import Pair, make_copies
from .tools import Faults

LIMITS = {
    "RESERVATION_TTL": "1",
    "HTTP_TIMEOUT": "2",
    "DATABASE_STATEMENT_TIMEOUT": "20",  # as long as a gate may be closed
}


@pytest.fixture(scope="package")
async def faults(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Faults]:
    """Each test of it ends with the audit."""
    folder = tmp_path_factory.mktemp("faults")
    with LocalStack(folder, port_base=19000, quiet=True, env=LIMITS) as local:
        stack = dict(local.info)
        key = {"X-Internal-Key": local.info["env"]["SVC_INTERNAL_KEY"]}
        async with (
            httpx.AsyncClient(base_url=local.info["gateway"], timeout=30) as api,
            Publisher(local.info["kafka"]) as publish,
            EventLog(local.info["kafka"]) as events,
        ):
            market = Market(await make_admin(api, key), key)
            product = await market.make_product(stock=1000)
            query = make_query(local.info["postgres_dsn"])
            stand = Stand(stack, str(folder), market, query, publish, product, {})
            yield Faults(stand, events)


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    stack = LocalStack(folder, port_base=19800, quiet=True)
    await asyncio.to_thread(stack.start)
    try:
        async with AsyncExitStack() as opened:
            copies = make_copies(stack.info)
            for copy in copies.values():  # all at once they would take each other's time
                await opened.enter_async_context(copy)
            firsts = stack.info["services"]
            urls = {name: [firsts[name]["url"], copy.url] for name, copy in copies.items()}
            gateway = await opened.enter_async_context(ReplicaGateway(folder, urls))
            yield Pair(folder, gateway, copies)
    finally:
        await asyncio.to_thread(stack.stop)
