"""Shipping of the shared stack."""

from typing import Any

import pytest

from tests.support.database import Query
from tests.support.kafka import Publisher
from tests.support.market import Market
from tests.support.people import Customer

from .made_up import MadeUp, Shipping


@pytest.fixture(scope="session")
async def shipping(
    market: Market, stack: dict[str, Any], customer: Customer, publish: Publisher, query: Query
) -> Shipping:
    return Shipping(market, customer, stack["services"]["shipping"]["url"], publish, query)


@pytest.fixture
async def ready(shipping: Shipping) -> tuple[MadeUp, dict[str, Any]]:
    order = shipping.order()
    return order, await shipping.make_ready(order)
