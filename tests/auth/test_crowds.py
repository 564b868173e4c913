"""Many at once, and the database away."""

import asyncio

import httpx
import psutil

from tests.auth.doors import Json, new_email, new_session
from tests.support.people import PASSWORD, Customer
from tests.support.processes import ServiceProcess, TcpProxy
from tests.support.waiting import eventually


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


async def test_more_logins_than_can_be_hashed_soon_are_told_to_come_back(
    api: httpx.AsyncClient, stack: Json
) -> None:
    few = {"PASSWORD_HASH_SLOTS": "1", "PASSWORD_HASH_QUEUE": "2"}
    async with ServiceProcess("auth", stack["env"], **few) as copy:
        body = {"email": new_email(), "password": PASSWORD}
        logins = [api.post(f"{copy.url}/login", json=body) for _ in range(30)]
        answers = await asyncio.gather(*logins)
        busy = [answer for answer in answers if answer.status_code == 503]
        assert {answer.status_code for answer in answers} == {401, 503}
        assert {answer.json()["code"] for answer in busy} == {"busy"}
        assert all(answer.headers["retry-after"] for answer in busy)
        assert (await api.post(f"{copy.url}/login", json=body)).status_code == 401


async def test_without_the_database_each_call_says_so_and_recovers(
    api: httpx.AsyncClient, customer: Customer, stack: Json
) -> None:
    dsn = stack["postgres_dsn"]
    address = dsn.partition("@")[2].partition("/")[0]
    proxy = TcpProxy(address)
    own = dsn.replace(address, proxy.address)
    token = (await new_session(api))["refresh_token"]
    calls: list[tuple[str, Json, int]] = [
        ("register", {"email": new_email(), "password": PASSWORD}, 201),
        ("login", {"email": customer.email, "password": PASSWORD}, 200),
        ("refresh", {"refresh_token": token}, 200),
        ("logout", {"refresh_token": token}, 204),
    ]
    async with ServiceProcess("auth", stack["env"], POSTGRES_DSN=own) as copy:
        for path, body, _ in calls:
            answer = await api.post(f"{copy.url}/{path}", json=body)
            assert answer.status_code == 503, (path, answer.text)
            assert answer.headers["retry-after"]
            assert "database" in answer.json()["detail"]
        assert (await customer.get(f"{copy.url}/me")).status_code == 200
        health = await api.get(f"{copy.url}/health")
        assert (health.status_code, health.json()["status"]) == (503, "unavailable")
        assert health.json()["checks"]["database"] != "ok"
        await proxy.up()

        async def healthy() -> bool:
            return (await api.get(f"{copy.url}/health")).status_code == 200

        await eventually(healthy)
        for path, body, status in calls:
            assert (await api.post(f"{copy.url}/{path}", json=body)).status_code == status
        await proxy.down()
