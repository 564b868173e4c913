"""rebuild.py against a `docker` command of the test's own, which notes how it is called."""

import os
import sys
from pathlib import Path

import pytest

from .conftest import Run

DOCKER = """\
#!{python}
import os, sys
arguments = sys.argv[1:]
with open(os.environ["DOCKER_LOG"], "a") as log:
    log.write(" ".join(arguments) + "\\n")
for failing in os.environ.get("DOCKER_FAILS", "").split(","):
    if failing and failing in arguments:
        sys.exit(os.environ.get("DOCKER_SAYS") or "no")
print(os.environ.get("COMPOSE_VERSION", "2.39.1") if "version" in arguments else "")
"""
COMPOSE = "compose -f deploy/docker-compose.yaml --env-file deploy/.env"


@pytest.fixture
def docker(tmp_path: Path, clone: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the calls are noted."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(DOCKER.format(python=sys.executable))
    program.chmod(0o755)
    (clone / "deploy" / ".env").touch()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_LOG", str(tmp_path / "calls"))
    return tmp_path / "calls"


def changes(calls: Path) -> list[str]:
    """The calls that change something."""
    lines = calls.read_text().splitlines()
    return [line.removeprefix(f"{COMPOSE} ") for line in lines if line.startswith(COMPOSE)]


UP = "up -d --force-recreate --remove-orphans"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["build --no-cache", UP]),
        (["--pull"], ["build --pull --no-cache", UP]),
        (["--cache"], ["build", UP]),
        (["--volumes"], ["build --no-cache", "down --volumes --remove-orphans", UP]),
    ],
)
def test_it_builds_first_and_replaces_then(
    run: Run, clone: Path, docker: Path, options: list[str], expected: list[str]
) -> None:
    done = run("rebuild.py", *options, repo=clone)
    assert done.returncode == 0, done.stderr
    assert changes(docker) == expected
    assert done.stdout.splitlines()[-1] == "All is rebuilt. Next: python scripts/seed.py"


def test_a_build_that_fails_replaces_nothing(run: Run, clone: Path, docker: Path) -> None:
    done = run("rebuild.py", "--volumes", repo=clone, DOCKER_FAILS="build")
    assert done.returncode == 1
    assert changes(docker) == ["build --no-cache"]
    assert done.stderr.splitlines()[-1] == "The build failed; nothing is replaced (see above)"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DOCKER_FAILS": "version"}, "Docker has no Compose v2"),
        ({"COMPOSE_VERSION": "1.29.2"}, "Docker Compose 1.29.2 is too old"),
        ({"DOCKER_FAILS": "info"}, "Docker is not running"),
        ({"DOCKER_FAILS": "info", "DOCKER_SAYS": "Permission denied"}, "You may not use Docker"),
    ],
)
def test_what_is_wrong_with_docker_is_one_line(
    run: Run, clone: Path, docker: Path, variables: dict[str, str], said: str
) -> None:
    done = run("rebuild.py", repo=clone, **variables)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1
    assert changes(docker) == []


def test_a_version_with_a_letter_and_a_suffix_is_read(run: Run, clone: Path, docker: Path) -> None:
    for version in ("v2.26.1-4", "5.0.2-desktop.1"):
        assert run("rebuild.py", repo=clone, COMPOSE_VERSION=version).returncode == 0


def test_without_docker_it_says_so(run: Run, clone: Path, tmp_path: Path) -> None:
    done = run("rebuild.py", repo=clone, PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("Docker is missing")
    assert len(done.stderr.splitlines()) == 1


def test_without_the_environment_file_it_says_how_to_make_it(
    run: Run, clone: Path, docker: Path
) -> None:
    (clone / "deploy" / ".env").unlink()
    done = run("rebuild.py", repo=clone)
    assert done.stderr == "deploy/.env is missing; make it: cp deploy/.env.example deploy/.env\n"
    assert changes(docker) == []
