"""Running the scripts as a user does: through the command line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.scripts import Done, run_script

REPO = Path(__file__).resolve().parents[2]
COPIED = ("libs", "services", "scripts", "deploy")
FILES = ("pyproject.toml", "requirements-dev.txt", "requirements.lock", "README.md")

Run = Callable[..., Done]


@pytest.fixture
def run() -> Run:
    """`run("seed.py", "--timeout", "1", POSTGRES_DSN=...)`, in another clone with `repo=`."""
    return run_script


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the project, to be spoiled."""
    ignored = shutil.ignore_patterns(".env")
    for folder in COPIED:
        shutil.copytree(REPO / folder, tmp_path / folder, ignore=ignored)
    for file in FILES:
        shutil.copy(REPO / file, tmp_path / file)
    return tmp_path
