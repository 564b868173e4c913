"""A stack of its own, filled: other tests' stack has events from nowhere, and too few rows."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scripts.localstack import LocalStack
from scripts.localstack.state import Folder
from tests.support.scripts import Done, run_script

ORDERS, PRODUCTS, CUSTOMERS, EVENTS = 6000, 5000, 1000, 30_000
SIZE = [f"--orders={ORDERS}", f"--products={PRODUCTS}", f"--customers={CUSTOMERS}"]
SIZE += [f"--events={EVENTS}"]


@dataclass(frozen=True)
class Stand:
    info: dict[str, Any]
    folder: Path

    def pid(self, service: str) -> int:
        """As it is now: one that died is started again."""
        info = Folder(self.folder).read()
        assert info is not None
        return int(info["services"][service]["pid"])

    def run(self, script: str, *arguments: str) -> Done:
        return run_script(script, *arguments, LOCAL_STACK_DIR=str(self.folder))

    def audit(self) -> dict[str, Any]:
        """Which rules are broken, by name."""
        found = json.loads(self.run("audit.py", "--json", "--wait", "20").stdout)
        return {rule["rule"]: rule["breaches"] for rule in found["rules"] if not rule["ok"]}


@pytest.fixture(scope="package")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("filled")
    with LocalStack(folder, port_base=18700, quiet=True) as local:
        yield Stand(dict(local.info), folder)


@pytest.fixture(scope="package")
def filled(stand: Stand) -> Done:
    return stand.run("fill.py", "--local", *SIZE)


@pytest.fixture
def query(stand: Stand) -> Iterator[Callable[[str], Any]]:
    """One value out of the stack's database."""
    dsn = stand.info["postgres_dsn"].replace("+psycopg", "")
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield lambda text: (connection.execute(text.encode()).fetchone() or (None,))[0]
