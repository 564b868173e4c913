"""Catalog of the shared stack, and two replicas of it with a database and neighbours of their own."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from libs.config import ServiceSettings
from libs.security import Principal, Role, create_access_token

from .order_stub import OrderStub, free_port
from .shop import Shop

Stack = dict[str, Any]
Publish = Callable[..., Awaitable[None]]
Query = Callable[..., Awaitable[list[Any]]]

ROOT = Path(__file__).parents[2]
TTL_SECONDS = 0.6


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "not within the time"
        await asyncio.sleep(0.03)


@pytest.fixture(scope="session")
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    async with _clients(f"{stack['gateway']}/catalog", stack["services"]["catalog"]["url"]) as shop:
        yield shop


class _clients:
    def __init__(self, public: str, direct: str) -> None:
        self.public, self.direct = public, direct

    async def __aenter__(self) -> Shop:
        def bearer(role: Role) -> dict[str, str]:
            principal = Principal(1, f"{role}@example.com", role)
            token = create_access_token(
                ServiceSettings(), principal, lifetime=timedelta(hours=1)
            )
            return {"Authorization": f"Bearer {token}"}

        self.open = [
            httpx.AsyncClient(base_url=base, headers=headers, timeout=30)
            for base, headers in (
                (self.public, {}),
                (self.public, bearer("admin")),
                (self.public, bearer("customer")),
                (self.direct, {"X-Internal-Key": "devkey"}),
            )
        ]
        return Shop(
            anyone=self.open[0], admin=self.open[1], customer=self.open[2], internal=self.open[3]
        )

    async def __aexit__(self, *_: object) -> None:
        for client in self.open:
            await client.aclose()


@pytest.fixture(scope="session")
async def publish(stack: Stack) -> AsyncIterator[Publish]:
    producer = AIOKafkaProducer(bootstrap_servers=stack["kafka"], acks="all")
    await producer.start()

    async def publish(topic: str, value: bytes, *, key: bytes) -> None:
        await producer.send_and_wait(topic, value, key=key)

    yield publish
    await producer.stop()


@pytest.fixture(scope="session")
def query(stack: Stack) -> Query:
    dsn = stack["postgres_dsn"].replace("+psycopg", "")

    async def query(statement: str, *values: Any) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []

    return query


class Relay:
    """A port that leads to another one, or to nothing."""

    def __init__(self, target: int) -> None:
        self.port, self.target = free_port(), target
        self.writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.writers |= {writer, other_writer}

        async def pump(a: asyncio.StreamReader, b: asyncio.StreamWriter) -> None:
            try:
                while data := await a.read(65536):
                    b.write(data)
                    await b.drain()
            except OSError:
                pass
            b.close()

        await asyncio.gather(pump(reader, other_writer), pump(other_reader, writer))


@dataclass
class OwnCatalog:
    shops: list[Shop]
    order: OrderStub
    store: Relay


@pytest.fixture(scope="session")
async def own_catalog(stack: Stack, query: Query) -> AsyncIterator[OwnCatalog]:
    database = f"catalog_{uuid4().hex[:8]}"
    await query(f"CREATE DATABASE {database}")
    order = OrderStub()
    relay = Relay(int(stack["s3_endpoint"].rpartition(":")[2]))
    env = {
        **os.environ,
        **stack["env"],
        "POSTGRES_DSN": stack["postgres_dsn"].rpartition("/")[0] + f"/{database}",
        "KAFKA_BOOTSTRAP": "127.0.0.1:9",
        "ORDER_BASE": f"http://127.0.0.1:{order.port}",
        "RESERVATION_TTL": str(TTL_SECONDS),
        "S3_ENDPOINT": f"http://127.0.0.1:{relay.port}",
        "S3_BUCKET": f"own-{uuid4().hex}",
        "LOG_LEVEL": "WARNING",
    }
    folder = ROOT / "services" / "catalog"
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"], cwd=folder, env=env, check=True
    )
    ports = [free_port(), free_port()]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)],
            cwd=folder,
            env={**env, "UVICORN_PORT": str(port)},
        )
        for port in ports
    ]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    async with _clients(urls[0], urls[0]) as first, _clients(urls[1], urls[1]) as second:

        async def up() -> bool:
            try:
                return all(
                    [(await s.anyone.get("/health")).status_code == 200 for s in (first, second)]
                )
            except httpx.TransportError:
                return False

        await eventually(up, 15)
        yield OwnCatalog([first, second], order, relay)
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()
