"""A script on a machine that has nothing but Python, in a small project with its own package."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from scripts.localstack.state import REPO

from .conftest import wait_until

SCRIPT = """
import bootstrap
bootstrap.MODULES, bootstrap.SERVERS = ("needed",), ()
bootstrap.ensure_environment()
import sys, needed
print("ran", needed.VERSION, sys.prefix.endswith(".venv"), sys.argv[1:])
"""
METADATA = "Metadata-Version: 2.1\nName: needed\nVersion: {}\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
BARE = getattr(sys, "_base_executable", sys.executable)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose environment is there already."""
    project = make_project(tmp_path_factory.mktemp("made"))
    assert "ran 1 True" in run(project).stdout
    return project


def make_project(folder: Path) -> Path:
    (folder / "scripts").mkdir()
    shutil.copy(REPO / "scripts" / "bootstrap.py", folder / "scripts")
    (folder / "scripts" / "x.py").write_text(SCRIPT)
    (folder / "requirements.lock").touch()
    (folder / "pyproject.toml").touch()
    need(folder, 1)
    return folder


def copy_of(made: Path, folder: Path) -> Path:
    """The same project elsewhere, with its environment: making one takes 5 s."""
    shutil.copytree(made, folder, symlinks=True, dirs_exist_ok=True)
    return folder


def need(project: Path, version: int) -> None:
    wheel = f"needed-{version}-py3-none-any.whl"
    meta = f"needed-{version}.dist-info"
    with zipfile.ZipFile(project / wheel, "w") as archive:
        archive.writestr("needed.py", f"VERSION = {version}\n")
        archive.writestr(f"{meta}/METADATA", METADATA.format(version))
        archive.writestr(f"{meta}/WHEEL", WHEEL)
        archive.writestr(f"{meta}/RECORD", "")
    (project / "requirements-dev.txt").write_text(f"./{wheel}\n")


def run(project: Path, *arguments: str, python: str = BARE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "scripts/x.py", *arguments],
        cwd=project,
        env=bare_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def bare_environment() -> dict[str, str]:
    return {**os.environ, "PIP_NO_INDEX": "1"}


def test_an_environment_is_made_once_and_the_script_goes_on_in_it(made: Path) -> None:
    second = run(made, "--flag", "a b")

    assert second.stdout == "ran 1 True ['--flag', 'a b']\n"
    assert second.stderr == ""
    assert second.returncode == 0


def test_an_environment_that_has_everything_is_left_alone(made: Path, tmp_path: Path) -> None:
    make_project(tmp_path)

    inside = run(tmp_path, python=str(made / ".venv/bin/python"))

    assert inside.stdout.startswith("ran 1 True")
    assert not (tmp_path / ".venv").exists()


def test_a_changed_requirement_is_installed(made: Path) -> None:
    need(made, 2)
    try:
        assert "ran 2 True" in run(made).stdout
        need(made, 1)
        assert "ran 1 True" in run(made, python=str(made / ".venv/bin/python")).stdout
    finally:
        need(made, 1)


def test_two_scripts_at_once_and_one_killed_in_the_middle_are_safe(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    command = [BARE, "scripts/x.py"]
    with subprocess.Popen(
        command, cwd=project, env=bare_environment(), stderr=subprocess.DEVNULL
    ) as killed:
        wait_until((project / ".venv" / "lib").exists)
        time.sleep(0.3)
        killed.send_signal(signal.SIGKILL)
    assert not (project / ".venv" / ".installed").exists()

    both = [
        subprocess.Popen(
            command,
            cwd=project,
            env=bare_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [process.communicate()[0] for process in both]

    assert answers == ["ran 1 True []\n"] * 2


def test_a_failed_install_is_one_line_with_the_reason(made: Path, tmp_path: Path) -> None:
    project = copy_of(made, tmp_path)
    (project / "requirements-dev.txt").write_text("./not-there-1-py3-none-any.whl\n")

    failed = run(project)

    assert failed.returncode == 1
    *_, last = failed.stderr.splitlines()
    assert last.startswith("The packages could not be installed: ")
    assert "not-there-1" in last
    assert "Traceback" not in failed.stderr


def test_packages_that_can_not_be_imported_do_not_make_it_try_for_ever(
    made: Path, tmp_path: Path
) -> None:
    project = copy_of(made, tmp_path)
    for installed in (project / ".venv").rglob("needed.py"):
        installed.unlink()
    (project / "requirements-dev.txt").write_text("")

    failed = run(project)

    assert failed.returncode == 1
    assert "can't be imported" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_an_old_python_is_told_so() -> None:
    code = "import sys, bootstrap\nbootstrap.OLDEST = (9, 1)\nbootstrap.ensure_environment()\n"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPO / "scripts",
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 2
    assert told.stderr.startswith("This needs Python 9.1 or later; ")
    assert told.stderr.count("\n") == 1
