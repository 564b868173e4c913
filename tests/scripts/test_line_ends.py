"""Line ends on every system: what runs in a container must not get CRLF from a Windows clone."""

import subprocess

import pytest

from .conftest import REPO

pytestmark = pytest.mark.skipif(not (REPO / ".git").exists(), reason="this is not a git clone")


def git(*arguments: str) -> list[str]:
    command = ["git", "-c", f"safe.directory={REPO}", *arguments]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("file", "ends"),
    [
        ("scripts/seed.py", "lf"),
        ("any/script.sh", "lf"),
        ("deploy/docker-compose.yaml", "lf"),
        ("services/auth/Dockerfile", "lf"),
        ("deploy/.env.example", "lf"),
        (".ci/run", "lf"),
        ("scripts/run_demo.ps1", "unspecified"),  # as git does it on that system
    ],
)
def test_a_working_tree_gets_the_right_ones(file: str, ends: str) -> None:
    assert git("check-attr", "eol", "--", file) == [f"{file}: eol: {ends}"]


def test_the_repository_holds_lf_only() -> None:
    tracked = [line.split(maxsplit=1) for line in git("ls-files", "--eol")]
    assert [rest for ends, rest in tracked if ends in ("i/crlf", "i/mixed")] == []
