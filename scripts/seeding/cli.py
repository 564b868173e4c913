"""`python scripts/seed.py`."""

import argparse
from concurrent.futures import ThreadPoolExecutor

from ..console import Console, ScriptError
from ..stacks import REPO
from .migrations import migrate
from .postgres import Database, docker_database, local_database, wait_for


def main(console: Console) -> int:
    asked = _parser().parse_args()
    database = local_database() if asked.local else docker_database()
    wait_for(database, asked.timeout, console)
    return migrate_all(database, console)


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


def migrate_all(database: Database, console: Console) -> int:
    """`alembic upgrade head` for each folder with an `alembic.ini`, side by side."""
    inis = sorted((REPO / "services").glob("*/alembic.ini"))
    console.show(f"Migrating {len(inis)} services in {database.where}")
    with ThreadPoolExecutor(max_workers=max(1, len(inis))) as pool:
        outcomes = list(pool.map(lambda ini: migrate(ini.parent, database.dsn, console), inis))
    if failed := [name for name, ok in outcomes if not ok]:
        raise ScriptError(f"Migrations failed: {', '.join(failed)}; the lines above say why")
    console.show(f"{len(inis)} services are migrated.")
    return 0
