"""One local stack for all tests, and the doors that they go through."""

import inspect
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest

from scripts.checks.cli import PORTS
from scripts.localstack import LocalStack

from .support.database import Query, make_query
from .support.forks import stop_parent
from .support.kafka import EventLog, Publisher
from .support.market import Market
from .support.people import Customer, make_admin, make_customer

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

Stack = dict[str, Any]
BEHIND_THE_GATEWAY = {"api", "internal_key", "query", "publish", "events", "postgres_dsn"}
"""Fixtures that take from `stack` only what any stack has."""
OF_BOTH_STACKS = {"cart", "notifications", "order", "payment"}
"""Folders whose tests use what is another program on Docker's stack: Redis, Kafka. The others
would repeat what the same code did on the local one."""


def pytest_configure() -> None:
    """Started in the background we ignore Ctrl-C, and so would the scripts that the tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish() -> None:
    stop_parent()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Tests of Docker's stack need one."""
    return True if collection_path.name == "docker" and not _on_docker() else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On Docker's stack run what goes through published ports only; the rest starts processes
    of its own, or asks a service past the gateway."""
    if not _on_docker():
        return
    kept = [item for item in items if isinstance(item, pytest.Function) and _is_for_any(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def _on_docker() -> bool:
    named = os.environ.get("STACK_JSON")
    return bool(named) and "docker" in json.loads(Path(str(named)).read_text(encoding="utf-8"))


def _is_for_any(item: pytest.Function) -> bool:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    if item.get_closest_marker("local"):
        return False
    if folder in ("e2e", "docker"):
        return True
    if folder not in OF_BOTH_STACKS:
        return False
    needed = item.fixturenames
    if "stack" not in needed or "stack" in inspect.signature(item.function).parameters:
        return False
    definitions = item._fixtureinfo.name2fixturedefs
    return all(
        "stack" not in definitions[name][-1].argnames
        for name in needed
        if name in definitions and name not in BEHIND_THE_GATEWAY
    )


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The content of `stack.json`: of the running stack that STACK_JSON names, or a new one's."""
    if named := os.environ.get("STACK_JSON"):
        yield json.loads(Path(named).read_text(encoding="utf-8"))
        return
    folder = tmp_path_factory.mktemp("stack")
    with LocalStack(folder, port_base=PORTS, quiet=True) as local:
        yield dict(local.info)


@pytest.fixture(scope="session")
async def api(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway, as anybody reaches it."""
    async with httpx.AsyncClient(base_url=stack["gateway"], timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def internal_key(stack: Stack) -> dict[str, str]:
    return {"X-Internal-Key": stack["env"]["SVC_INTERNAL_KEY"]}


@pytest.fixture(scope="session")
async def admin(api: httpx.AsyncClient, internal_key: dict[str, str]) -> Customer:
    return await make_admin(api, internal_key)


@pytest.fixture(scope="session")
async def customer(api: httpx.AsyncClient) -> Customer:
    """A customer for tests that do not mind what else this one has; else `make_customer`."""
    return await make_customer(api)


@pytest.fixture(scope="session")
def query(stack: Stack) -> Query:
    return make_query(stack["postgres_dsn"])


@pytest.fixture(scope="session")
async def publish(stack: Stack) -> AsyncIterator[Publisher]:
    publisher = Publisher(stack["kafka"])
    async with publisher:
        yield publisher


@pytest.fixture(scope="session")
async def events(stack: Stack) -> AsyncIterator[EventLog]:
    """All messages of all topics, from the beginning."""
    log = EventLog(stack["kafka"])
    async with log:
        yield log


@pytest.fixture(scope="session")
def postgres_dsn(stack: Stack) -> str:
    dsn: str = stack["postgres_dsn"]
    return dsn


@pytest.fixture(scope="session")
def market(admin: Customer, internal_key: dict[str, str]) -> Market:
    return Market(admin, internal_key)


@pytest.fixture(scope="session")
async def product(market: Market, query: Query) -> dict[str, Any]:
    """A product with plenty in stock, for tests that do not count it.

    Its id is far from those that a fuzzer tries, which changes products as an admin.
    """
    await query("SELECT setval(pg_get_serial_sequence('catalog.products', 'id'), 100000)")
    return await market.make_product(stock=100_000)
