import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support.scripts import Done

from .conftest import REPO, Run

NOWHERE = "postgresql+psycopg://postgres:sec-ret@127.0.0.1:1/appdb"
SERVICES = sorted(ini.parent.name for ini in (REPO / "services").glob("*/alembic.ini"))
FEW = ["order", "payment"]


@pytest.fixture
def small(clone: Path) -> Path:
    """A copy of the project with few services: a run migrates each in a process of its own."""
    for name in SERVICES:
        if name not in FEW:
            shutil.rmtree(clone / "services" / name)
    return clone


@pytest.fixture
def empty_database(postgres_dsn: str) -> Iterator[str]:
    """The DSN of a database of the test's own."""
    name = f"seed_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_dsn.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield make_url(postgres_dsn).set(database=name).render_as_string(hide_password=False)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def migrated(dsn: str) -> list[str]:
    with psycopg.connect(dsn.replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT table_schema FROM information_schema.tables "
            "WHERE table_name = 'alembic_version' ORDER BY 1"
        ).fetchall()
    return [schema for (schema,) in rows]


def test_an_unreachable_database_is_one_line_without_the_password(run: Run) -> None:
    done = run("seed.py", "--timeout", "0.5", POSTGRES_DSN=NOWHERE)
    assert done.returncode == 1
    assert "does not answer within 0.5 s" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "sec-ret" not in done.stderr + done.stdout


def test_a_database_that_does_not_exist_is_not_waited_for(run: Run, postgres_dsn: str) -> None:
    dsn = make_url(postgres_dsn).set(database="no_such").render_as_string(hide_password=False)
    done = run("seed.py", POSTGRES_DSN=dsn)
    assert done.returncode == 1
    assert "does not exist" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_migrating_twice_changes_nothing_the_second_time(
    run: Run, small: Path, empty_database: str
) -> None:
    first = run("seed.py", POSTGRES_DSN=empty_database)
    assert first.returncode == 0, first.stdout
    assert migrated(empty_database) == SERVICES
    second = run("seed.py", repo=small, POSTGRES_DSN=empty_database)
    assert second.returncode == 0
    assert second.stdout.count("up to date") == len(FEW)


def test_three_at_once_on_an_empty_database_all_succeed(
    run: Run, small: Path, empty_database: str
) -> None:
    def seed(_: int) -> Done:
        return run("seed.py", repo=small, POSTGRES_DSN=empty_database)

    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(seed, range(3)))
    assert [done.returncode for done in runs] == [0, 0, 0], [done.stdout for done in runs]
    assert migrated(empty_database) == FEW


def test_one_that_is_killed_in_the_middle_leaves_nothing_half_done(
    run: Run, small: Path, empty_database: str
) -> None:
    process = subprocess.Popen(
        [sys.executable, str(small / "scripts" / "seed.py")],
        env={**os.environ, "PYTHONPATH": str(small), "POSTGRES_DSN": empty_database},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_a_migration(empty_database)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert run("seed.py", repo=small, POSTGRES_DSN=empty_database).returncode == 0
    assert migrated(empty_database) == FEW


def wait_for_a_migration(dsn: str) -> None:
    """Until one has begun its transaction."""
    query = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
        "AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + 20
    with psycopg.connect(dsn.replace("+psycopg", ""), autocommit=True) as connection:
        while not connection.execute(query).fetchone():
            assert time.monotonic() < deadline
