"""Databases of a test's own, on the stack's Postgres."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from libs.config import DatabaseSettings
from libs.db import Database

from .database import Query
from .forks import ROOT, parent


async def create_database(stack: dict[str, Any], query: Query) -> str:
    """An empty database; its DSN."""
    name = f"own_{uuid4().hex[:10]}"
    await query(f"CREATE DATABASE {name}")
    return f"{stack['postgres_dsn'].rpartition('/')[0]}/{name}"


async def alembic(dsn: str, service: str, *command: str, root: Path = ROOT) -> tuple[int, str]:
    """Run alembic in a service's folder: (exit code, what it said)."""
    env = {**os.environ, "POSTGRES_DSN": dsn}
    process = parent().fork("alembic", *command, cwd=root / "services" / service, env=env)
    code = await asyncio.to_thread(process.wait, 60)
    return code, process.output()


async def migrated_database(stack: dict[str, Any], query: Query, service: str) -> str:
    """A database of the test's own with this service's tables; its DSN."""
    dsn = await create_database(stack, query)
    code, said = await alembic(dsn, service, "upgrade", "head")
    assert code == 0, said
    return dsn


@asynccontextmanager
async def open_database(dsn: str, name: str = "test", **changes: Any) -> AsyncIterator[Database]:
    """As a service of this name has it; `changes` are settings."""
    database = Database(DatabaseSettings(postgres_dsn=dsn, **changes), name)
    try:
        yield database
    finally:
        await database.close()
