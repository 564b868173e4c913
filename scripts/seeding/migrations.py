"""One service's migrations."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from ..console import DIM, GREEN, RED, Console
from .postgres import connect

LIMIT = 300.0


def migrate(service: Path, dsn: str, console: Console) -> tuple[str, bool]:
    """Runs them in a process of their own, and prints a line that tells how it went."""
    started = time.monotonic()
    before = _revision(dsn, service.name)
    error = _upgrade(service, dsn)
    seconds = console.paint(f"{time.monotonic() - started:4.1f} s", DIM)
    if error:
        console.show(f"  {service.name:14} {seconds}  {console.paint('failed', RED)}: {error}")
        return service.name, False
    after = _revision(dsn, service.name)
    what = f"{after} (up to date)" if before == after else f"{before or 'empty'} -> {after}"
    console.show(f"  {service.name:14} {seconds}  {console.paint(what, GREEN)}")
    return service.name, True


def _upgrade(service: Path, dsn: str) -> str:
    """Empty when all went well, else the end of what alembic said."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "alembic", "-c", "alembic.ini", "upgrade", "head"],
            cwd=service,
            env={**os.environ, "POSTGRES_DSN": dsn},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        return f"not done within {LIMIT:.0f} s"
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("(Background on", "[SQL:", "File "))]
    return said[-1][:300] if said else f"alembic ended with code {done.returncode}"


def _revision(dsn: str, schema: str) -> str | None:
    """The revision that a service's tables have; None while there are none."""
    query = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(schema, "alembic_version"))
    with suppress(psycopg.Error), connect(dsn) as connection:
        row = connection.execute(query).fetchone()
        return str(row[0]) if row else None
    return None
