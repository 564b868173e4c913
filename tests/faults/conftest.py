"""A stack of these tests' own, with limits that suit them; each test ends with the audit."""

from collections.abc import AsyncIterator

import httpx
import pytest

from scripts.localstack import LocalStack
from tests.audit.tools import Stand
from tests.support.database import make_query
from tests.support.kafka import EventLog, Publisher
from tests.support.market import Market
from tests.support.people import make_admin

from .tools import Faults

LIMITS = {
    "KAFKA_SESSION_TIMEOUT_MS": "1500",
    "RESERVATION_TTL": "1",
    "HTTP_TIMEOUT": "2",
    "DATABASE_STATEMENT_TIMEOUT": "20",  # as long as a gate may be closed
}


@pytest.fixture(scope="package")
async def faults(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Faults]:
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
