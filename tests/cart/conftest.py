"""Whose carts the tests fill, and where they are kept."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.cart.doors import Internal, Json
from tests.support.market import Market
from tests.support.people import Customer


@pytest.fixture
async def buyer(market: Market) -> Customer:
    return await market.new_customer()


@pytest.fixture(scope="session")
async def euro_product(market: Market) -> Json:
    return await market.make_product(currency="EUR")


@pytest.fixture
def internal(market: Market, stack: Json, buyer: Customer) -> Internal:
    return Internal(market, stack, buyer)


@pytest.fixture(scope="session")
async def redis(stack: Json) -> AsyncIterator[Redis]:
    """For carts that would take many requests to make, or that only time makes."""
    async with Redis.from_url(stack["redis_url"], decode_responses=True) as client:
        yield client
