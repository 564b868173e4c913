"""Many at once, and the database away."""

import asyncio

import httpx
import psutil

from tests.auth.doors import Json, new_email
from tests.support.people import PASSWORD


async def test_many_logins_at_once_leave_the_service_small_and_quick(
    api: httpx.AsyncClient, stack: Json
) -> None:
    """200 for unknown emails, half of which hang up."""
    process = psutil.Process(stack["services"]["auth"]["pid"])
    before = process.memory_info().rss

    url = stack["services"]["auth"]["url"]
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, limits=limits) as client:

        async def attempt(number: int) -> int:
            body = {"email": new_email(), "password": PASSWORD}
            timeout = 0.3 if number % 2 else 60
            try:
                return (await client.post("/login", json=body, timeout=timeout)).status_code
            except httpx.TimeoutException:
                return 0

        attempts = asyncio.gather(*(attempt(number) for number in range(200)))
        while not attempts.done():
            assert (await api.get("/auth/health", timeout=5)).status_code == 200
            await asyncio.wait({attempts}, timeout=0.2)
        assert set(await attempts) <= {0, 401, 503}
    assert process.memory_info().rss - before < 100 * 1024 * 1024
