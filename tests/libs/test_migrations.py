"""Migrations: several at once, one killed, and a model that drifted."""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.support.database import Query, make_query
from tests.support.databases import alembic, create_database
from tests.support.forks import ROOT
from tests.support.waiting import eventually

Json = dict[str, Any]


async def test_three_at_once_on_an_empty_database_all_succeed(stack: Json, query: Query) -> None:
    dsn = await create_database(stack, query)
    done = await asyncio.gather(*(alembic(dsn, "order", "upgrade", "head") for _ in range(3)))
    assert [code for code, _ in done] == [0, 0, 0], done
    assert (await alembic(dsn, "order", "check"))[0] == 0


async def test_one_killed_in_the_middle_leaves_nothing_half_done(stack: Json, query: Query) -> None:
    dsn = await create_database(stack, query)
    own = make_query(dsn)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "upgrade", "head"),
        cwd=ROOT / "services" / "order",
        env={**os.environ, "POSTGRES_DSN": dsn},
    )

    async def begun() -> bool:
        locks = await own(
            "SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND datname = current_database()"
        )
        return bool(locks) or process.returncode is not None

    await eventually(begun)
    if process.returncode is None:
        process.kill()
    await process.wait()
    code, said = await alembic(dsn, "order", "upgrade", "head")
    assert code == 0, said
    assert (await alembic(dsn, "order", "check"))[0] == 0


async def test_a_model_that_drifted_from_its_migrations_is_found(
    stack: Json, query: Query, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "services" / "order", tmp_path / "services" / "order")
    models = tmp_path / "services" / "order" / "app" / "models.py"
    drifted = models.read_text().replace(
        "    city: Mapped[str]",
        "    planet: Mapped[str] = mapped_column(Text)\n    city: Mapped[str]",
    )
    models.write_text(drifted)
    dsn = await create_database(stack, query)
    assert (await alembic(dsn, "order", "upgrade", "head"))[0] == 0
    code, said = await alembic(dsn, "order", "check", root=tmp_path)
    assert code != 0
    assert "planet" in said
