"""Databases of a test's own, on the stack's Postgres."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from .database import Query
from .processes import ROOT


async def create_database(stack: dict[str, Any], query: Query) -> str:
    """An empty database; its DSN."""
    name = f"own_{uuid4().hex[:10]}"
    await query(f"CREATE DATABASE {name}")
    return f"{stack['postgres_dsn'].rpartition('/')[0]}/{name}"


async def alembic(dsn: str, service: str, *command: str, root: Path = ROOT) -> tuple[int, str]:
    """Run alembic in a service's folder: (exit code, what it said)."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", *command),
        cwd=root / "services" / service,
        env={**os.environ, "POSTGRES_DSN": dsn},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said.decode()
