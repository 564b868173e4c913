"""A service that is alone with its servers, for tests that fill or spoil them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.database import Query

from .alone import Alone, payment_alone


@pytest.fixture(scope="module")
async def alone(stack: dict[str, Any], query: Query) -> AsyncIterator[Alone]:
    async with payment_alone(stack, query) as alone:
        yield alone
