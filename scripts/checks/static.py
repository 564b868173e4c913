"""The checks beside the tests, each a command with an exit code."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..stacks import REPO

LIMIT = 300.0
PYTHON = sys.executable


@dataclass(frozen=True)
class Check:
    name: str
    command: tuple[str, ...]
    folder: Path = REPO
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    name: str
    code: int
    seconds: float
    output: str

    @property
    def ok(self) -> bool:
        return self.code == 0


def static_checks() -> dict[str, Check]:
    """What needs no running stack, by name."""
    ruff, mypy = (PYTHON, "-m", "ruff"), (PYTHON, "-m", "mypy")
    importlinter = shutil.which("lint-imports", path=Path(PYTHON).parent) or "lint-imports"
    checks = (
        Check("format", (*ruff, "format", "--check", "--diff", "--quiet", ".")),
        Check("lint", (*ruff, "check", "--quiet", ".")),
        Check("imports", (importlinter, "--no-logo")),
        Check("requirements", (PYTHON, "scripts/gen-service-reqs.py", "--check")),
        Check("types", mypy),
    )
    return {check.name: check for check in checks}


def migration_checks(postgres_dsn: str) -> list[Check]:
    """`alembic check` of each service: its models are what its migrations make."""
    env = {"POSTGRES_DSN": postgres_dsn}
    command = (PYTHON, "-m", "alembic", "check")
    return [
        Check(f"migrations of {ini.parent.name}", command, ini.parent, env)
        for ini in sorted((REPO / "services").glob("*/alembic.ini"))
    ]


def run_check(check: Check) -> Outcome:
    started = time.monotonic()
    code, output = _run(check)
    return Outcome(check.name, code, time.monotonic() - started, output.strip())


def _run(check: Check) -> tuple[int, str]:
    try:
        done = subprocess.run(
            check.command,
            cwd=check.folder,
            env={**os.environ, **check.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        return 1, f"not done within {LIMIT:.0f} s"
    except OSError as error:
        return 1, str(error)
    return done.returncode, done.stdout
