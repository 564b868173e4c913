"""Running the scripts as a user does: through the command line."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
COPIED = ("libs", "services", "scripts", "deploy")
FILES = ("pyproject.toml", "requirements-dev.txt", "requirements.lock", "README.md")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    """`run("seed.py", "--timeout", "1", POSTGRES_DSN=...)`, in another clone with `repo=`."""

    def run(
        script: str, *arguments: str, repo: Path = REPO, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(repo / "scripts" / script), *arguments],
            cwd=repo,
            env={**os.environ, "PYTHONPATH": str(repo), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )

    return run


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the project, to be spoiled."""
    ignored = shutil.ignore_patterns("__pycache__", ".env")
    for folder in COPIED:
        shutil.copytree(REPO / folder, tmp_path / folder, ignore=ignored)
    for file in FILES:
        shutil.copy(REPO / file, tmp_path / file)
    return tmp_path
