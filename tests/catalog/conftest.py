"""Catalog of the shared stack, and two replicas of it with neighbours of their own."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from .replicas import OwnCatalog, Stack, run_replicas
from .shop import Shop, open_shop

Publish = Callable[..., Awaitable[None]]
Query = Callable[..., Awaitable[list[Any]]]


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.03)


@pytest.fixture(scope="session")
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    public, direct = f"{stack['gateway']}/catalog", stack["services"]["catalog"]["url"]
    async with open_shop(public, direct) as shop:
        yield shop


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
    return _query(stack["postgres_dsn"])


def _query(dsn: str) -> Query:
    async def query(statement: str, *values: Any) -> list[Any]:
        address = dsn.replace("+psycopg", "")
        async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []

    return query


@pytest.fixture(scope="session")
async def own_catalog(stack: Stack, query: Query) -> AsyncIterator[OwnCatalog]:
    database = f"catalog_{uuid4().hex}"
    await query(f"CREATE DATABASE {database}")
    dsn = f"{stack['postgres_dsn'].rpartition('/')[0]}/{database}"
    async with run_replicas(stack, dsn, _query(dsn)) as own:
        yield own
    await query(f"DROP DATABASE {database} WITH (FORCE)")
