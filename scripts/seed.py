"""Migrates the database of every service: `python scripts/seed.py`.

`alembic upgrade head` for each folder with an `alembic.ini`, side by side. Safe to repeat.
"""

from bootstrap import ensure_environment  # type: ignore[import-not-found]

ensure_environment()

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import sql

from scripts.console import DIM, GREEN, RED, Console, ScriptError, run_script
from scripts.stacks import REPO, environment, host_dsn, running_local_target

MIGRATION_LIMIT = 300.0


def main(console: Console) -> int:
    asked = _parser().parse_args()
    dsn = _local_dsn() if asked.local else host_dsn(environment())
    wait_for_postgres(dsn, asked.timeout, console)
    inis = sorted((REPO / "services").glob("*/alembic.ini"))
    with ThreadPoolExecutor(max_workers=max(1, len(inis))) as pool:
        outcomes = list(pool.map(lambda ini: migrate(ini.parent, dsn, console), inis))
    if failed := [name for name, ok in outcomes if not ok]:
        raise ScriptError(f"Migrations failed: {', '.join(failed)}; the lines above say why")
    console.show(f"{len(inis)} services are migrated.")
    return 0


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="seed.py",
        description="Make and update the tables of all services. Safe to repeat.",
        epilog="POSTGRES_DSN is taken from the environment or deploy/.env; Docker's host name "
        "`postgres` in it becomes localhost, its port POSTGRES_PORT when that is set.",
    )
    root.add_argument("--local", action="store_true", help="migrate the local stack that is up")
    root.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for Postgres (default: 60)",
    )
    return root


def _local_dsn() -> str:
    target = running_local_target()
    if target is None:
        raise ScriptError("No local stack is up; start one: python scripts/local.py up")
    return target.postgres_dsn


def wait_for_postgres(dsn: str, limit: float, console: Console) -> None:
    """Returns once it answers. What waiting can't mend ends the script at once."""
    deadline = time.monotonic() + limit
    while True:
        try:
            return _connect(dsn).close()
        except psycopg.OperationalError as error:
            why = _in_one_line(error)
        _give_up_if_hopeless(why)
        if time.monotonic() > deadline:
            where = _where(dsn)
            raise ScriptError(
                f"Postgres at {where} does not answer within {limit:g} s ({why}); is the stack up?"
            )
        console.progress(f"waiting for Postgres at {_where(dsn)}")
        time.sleep(0.3)


def _give_up_if_hopeless(why: str) -> None:
    if "FATAL" not in why or "starting up" in why or "too many" in why or "shutting down" in why:
        return
    hint = "see POSTGRES_DSN in deploy/.env or the environment"
    if "password" in why:
        hint += "; a database volume keeps the password that it was made with"
    raise ScriptError(f"Postgres refuses: {why.partition('FATAL:')[2].strip()} ({hint})")


def migrate(service: Path, dsn: str, console: Console) -> tuple[str, bool]:
    """One service's migrations, in a process of their own, and a line that tells how it went."""
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
            timeout=MIGRATION_LIMIT,
        )
    except subprocess.TimeoutExpired:
        return f"not done within {MIGRATION_LIMIT:.0f} s"
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("(Background on", "[SQL:", "File "))]
    return said[-1][:300] if said else f"alembic ended with code {done.returncode}"


def _revision(dsn: str, schema: str) -> str | None:
    """The revision that a service's tables have; None while there are none."""
    query = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(schema, "alembic_version"))
    with suppress(psycopg.Error), _connect(dsn) as connection:
        row = connection.execute(query).fetchone()
        return str(row[0]) if row else None
    return None


def _connect(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn.replace("+psycopg", "", 1), connect_timeout=5)


def _where(dsn: str) -> str:
    return dsn.rpartition("@")[2]


def _in_one_line(error: Exception) -> str:
    """libpq tells of each address that it tried; a server that refused has the word."""
    lines = [*str(error).splitlines(), type(error).__name__]
    refusal = next((line for line in lines if "FATAL" in line), lines[0])
    return " ".join(refusal.split()).removeprefix("connection failed: ")


if __name__ == "__main__":
    sys.exit(run_script(main))
