"""Catalog of the shared stack, and two replicas of it with neighbours of their own."""

from collections.abc import AsyncIterator

import pytest

from tests.support.database import Query
from tests.support.databases import migrated_database

from .replicas import OwnCatalog, Stack, run_replicas
from .shop import Shop, open_shop


@pytest.fixture(scope="session")
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    public, direct = f"{stack['gateway']}/catalog", stack["services"]["catalog"]["url"]
    async with open_shop(public, direct) as shop:
        yield shop


@pytest.fixture(scope="package")
async def own_catalog(stack: Stack, query: Query) -> AsyncIterator[OwnCatalog]:
    dsn = await migrated_database(stack, query, "catalog")
    async with run_replicas(stack, dsn) as own:
        yield own
    await query(f"DROP DATABASE {dsn.rpartition('/')[2]} WITH (FORCE)")
