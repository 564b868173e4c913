"""What a service needs is away, at the start or later; or its tables are not there yet."""

import asyncio
from typing import Any, Self

import httpx
import pytest

from tests.support.database import Query, make_query
from tests.support.databases import alembic, create_database, migrated_database
from tests.support.health import assert_ended_by_itself
from tests.support.kafka import EventLog
from tests.support.market import Market
from tests.support.people import Customer
from tests.support.processes import APART, ServiceProcess, TcpProxy, free_port
from tests.support.waiting import eventually

Json = dict[str, Any]


async def _healthy(api: httpx.AsyncClient, url: str) -> None:
    async def ok() -> bool:
        return (await api.get(f"{url}/health")).status_code == 200

    await eventually(ok, what="healthy")


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("order", "/v1/orders"),
        ("notifications", "/v1/notifications"),
        ("catalog", "/v1/products"),
    ],
)
async def test_without_the_database_a_service_says_so_and_recovers(
    customer: Customer, stack: Json, service: str, path: str
) -> None:
    dsn = stack["postgres_dsn"]
    address = dsn.partition("@")[2].partition("/")[0]
    proxy = TcpProxy(address)
    own = dsn.replace(address, proxy.address)
    async with ServiceProcess(service, stack["env"], POSTGRES_DSN=own, **APART) as copy:
        for _ in ("at the start", "later"):
            answer = await customer.get(f"{copy.url}{path}")
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"]
            assert answer.headers["content-type"] == "application/problem+json"
            health = await customer.api.get(f"{copy.url}/health")
            assert health.status_code == 503
            assert health.json()["checks"]["database"] != "ok"
            assert (await customer.api.get(f"{copy.url}/livez")).status_code == 200
            await proxy.up()
            await _healthy(customer.api, copy.url)
            assert (await customer.get(f"{copy.url}{path}")).status_code == 200
            await proxy.down()


async def test_before_the_migration_a_service_lives_and_says_what_to_do(
    customer: Customer, stack: Json, query: Query
) -> None:
    dsn = await create_database(stack, query)
    env = {**stack["env"], "POSTGRES_DSN": dsn, **APART}
    async with ServiceProcess("payment", env) as copy:
        health = await customer.api.get(f"{copy.url}/health")
        assert health.status_code == 503
        assert "migrations pending" in health.json()["checks"]["database"]
        answer = await customer.get(f"{copy.url}/v1/payments")
        assert answer.status_code == 503
        assert "run python scripts/seed.py" in answer.json()["detail"]
        code, said = await alembic(dsn, "payment", "upgrade", "head")
        assert code == 0, said
        await _healthy(customer.api, copy.url)
        assert (await customer.get(f"{copy.url}/v1/payments")).json() == []


async def test_without_the_broker_requests_work_and_events_follow(
    market: Market, stack: Json, events: EventLog, product: Json, query: Query
) -> None:
    """The stack's own relay and a copy that can't reach the broker: whoever leads, nothing is
    lost, and the copy says what is away."""
    buyer = await market.new_customer()
    proxy = TcpProxy(stack["kafka"])
    async with ServiceProcess("payment", stack["env"], KAFKA_BOOTSTRAP=proxy.address) as copy:

        async def knows() -> bool:
            health = await market.api.get(f"{copy.url}/health")
            return health.status_code == 200 and health.json()["checks"]["broker"] != "ok"

        await eventually(knows)
        order = await market.place_order(buyer, product)
        assert (await market.pay(buyer, order, at=copy.url)).status_code == 201
        await events.wait_for(order["order_id"], "payment.succeeded")


async def test_a_relay_without_its_broker_says_so(
    customer: Customer, stack: Json, query: Query
) -> None:
    dsn = await migrated_database(stack, query, "payment")
    env = {**stack["env"], "POSTGRES_DSN": dsn, **APART}
    async with ServiceProcess("payment", env) as copy:
        health = (await customer.api.get(f"{copy.url}/health")).json()
        assert (health["status"], health["checks"]["broker"] != "ok") == ("ok", True)

        async def failing() -> bool:
            checks = (await customer.api.get(f"{copy.url}/health")).json()["checks"]
            return bool(checks["loop relay"] != "ok")

        await eventually(failing, what="a relay that says it fails")


class SilentServer:
    """Takes connections and requests, and says nothing."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._requests = 0

    async def __aenter__(self) -> Self:
        host, _, port = self.address.partition(":")
        self._server = await asyncio.start_server(self._say_nothing, host, int(port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def asked(self, times: int = 1) -> bool:
        return self._requests >= times

    async def _say_nothing(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._requests += bool(await reader.read(4))
        await reader.read()
        writer.close()


async def test_a_service_whose_broker_gives_no_answer_ends_without_cutting_its_loops_off(
    stack: Json, query: Query, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = await migrated_database(stack, query, "order")
    async with SilentServer() as broker:
        limits = {"KAFKA_BOOTSTRAP": broker.address, "SHUTDOWN_TIMEOUT": "3"}
        async with ServiceProcess("order", stack["env"], POSTGRES_DSN=dsn, **limits):
            await eventually(lambda: broker.asked(2), what="a relay and a consumer that wait")
    assert_ended_by_itself(capsys.readouterr().err)


async def test_no_request_fails_on_connections_of_before_the_database_restarted(
    customer: Customer, query: Query
) -> None:
    """Ended sessions are what a restart leaves behind."""
    path = "/order/v1/orders"
    await asyncio.gather(*(customer.get(path) for _ in range(8)))
    pooled = "application_name = 'order' AND state = 'idle'"
    ended = await query(
        f"SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE {pooled}"  # noqa: S608
    )
    assert ended

    async def gone() -> bool:
        left = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
        return await query(left, [pid for pid, _ in ended]) == [(0,)]

    await eventually(gone)
    answers = await asyncio.gather(*(customer.get(path) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8


_ORPHAN = """
INSERT INTO catalog.reservations (id, status, created_at)
VALUES (gen_random_uuid(), 'HELD', now() - '1h'::interval)"""
_UNPAID = """
INSERT INTO "order".orders (user_id, email, status, total_cents, currency, checkout_token,
  reservation_id, address_line1, address_line2, city, country, postcode, created_at)
VALUES (1, 'a@example.com', 'CREATED', 1, 'USD', 't', gen_random_uuid(), 'a', '', 'b', 'IE', 'c',
  now() - '1h'::interval)"""


@pytest.mark.parametrize(
    ("service", "neighbour", "work"),
    [("catalog", "ORDER_BASE", _ORPHAN), ("order", "PAYMENT_BASE", _UNPAID)],
    ids=["catalog", "order"],
)
async def test_a_sweep_that_waits_for_a_neighbour_is_not_cut_off_at_the_end(
    stack: Json,
    query: Query,
    capsys: pytest.CaptureFixture[str],
    service: str,
    neighbour: str,
    work: str,
) -> None:
    dsn = await migrated_database(stack, query, service)
    await make_query(dsn)(work)
    async with SilentServer() as server:
        limits = {
            "HTTP_TIMEOUT": "30",
            "SHUTDOWN_TIMEOUT": "3",
            neighbour: f"http://{server.address}",
        }
        async with ServiceProcess(service, stack["env"], POSTGRES_DSN=dsn, **APART, **limits):
            await eventually(server.asked, what="a sweep that waits")
    assert_ended_by_itself(capsys.readouterr().err)
