"""The PowerShell scripts, without a PowerShell: their syntax, and their calls."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.bootstrap import OLDEST
from scripts.demo.flow import MAIL_TYPES
from scripts.demo.shop import ADVICE, MIGRATE, SERVICES
from tests.support.http_calls import UNKNOWN, Call, one_for_each_route
from tests.support.powershell import faults, parse
from tests.support.powershell_demo import Demo
from tests.support.recording_proxy import recording

from .conftest import REPO, Run

SCRIPTS = sorted((REPO / "scripts").glob("**/*.ps1"))
LATER = (
    r"&&|\|\||\?\?|\?\.\w|-SkipHttpErrorCheck|-NoEnumerate|-AsHashtable|-Parallel|"
    r"\$Is(?:Windows|Linux|MacOS)|\"[^\"\n]*\$(?!script:|env:)\w+:"
)
POWERSHELL = shutil.which("pwsh") or shutil.which("powershell")
PARTS = sorted((REPO / "scripts" / "demo").glob("*.ps1"))


def name(path: Path) -> str:
    return path.name


@pytest.fixture(scope="module")
def demo() -> Demo:
    return Demo(REPO / "scripts" / "run_demo.ps1", PARTS)


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_parses(script: Path) -> None:
    assert list(faults(parse(script))) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_is_plain_ascii(script: Path) -> None:
    """Windows PowerShell 5.1 reads a file without a byte order mark as ANSI."""
    assert script.read_bytes().isascii()


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_is_for_windows_powershell_too(script: Path) -> None:
    """What only PowerShell 7 knows; and `"$name: "`, which names a drive in both."""
    found = re.findall(LATER, script.read_text())
    assert found == []


def test_a_fault_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ps1"
    broken.write_text("if ($true) { Write-Host 'x'\n")
    assert list(faults(parse(broken)))


def test_all_parts_of_the_demo_are_loaded() -> None:
    main = (REPO / "scripts" / "run_demo.ps1").read_text()
    assert [part.name for part in PARTS if f"$folder '{part.name}'" not in main] == []


def test_both_demos_know_the_same_services_mails_and_advice(demo: Demo) -> None:
    assert tuple(demo.value("$Services")) == SERVICES
    assert set(demo.value("$MailTypes")) == MAIL_TYPES
    assert demo.value("$Migrate") == MIGRATE
    assert demo.value("$Advice") == {str(status): what for status, what in ADVICE.items()}


def test_seed_asks_for_the_python_that_the_scripts_need() -> None:
    assert f"sys.version_info < {OLDEST})" in (REPO / "scripts" / "seed.ps1").read_text()


@pytest.fixture
def recorded(run: Run, stack: dict[str, str], internal_key: dict[str, str]) -> list[Call]:
    """What run_demo.py does where all that it makes is there already."""
    arguments = {"SVC_INTERNAL_KEY": internal_key["X-Internal-Key"]}
    calls: list[Call] = []
    with recording(stack["gateway"], calls) as base, recording(stack["mailhog"], calls) as mailhog:
        for _ in range(2):
            calls.clear()
            done = run("run_demo.py", "--base", base, "--mailhog", mailhog, **arguments)
            assert done.returncode == 0, done.stderr
    return one_for_each_route(calls)


def test_both_demos_make_the_same_calls_in_the_same_order(demo: Demo, recorded: list[Call]) -> None:
    calls = one_for_each_route(demo.calls())
    assert [call.route for call in calls] == [call.route for call in recorded]
    for ours, theirs in zip(calls, recorded, strict=True):
        assert (ours.roles, ours.internal) == (theirs.roles, theirs.internal), ours.route
        assert theirs.statuses <= ours.statuses, ours.route
        assert ours.fields.keys() == theirs.fields.keys(), ours.route
        assert not different(ours, theirs), ours.route


@pytest.mark.skipif(POWERSHELL is None, reason="there is no PowerShell here")
def test_the_demo_runs_in_powershell(stack: dict[str, str], internal_key: dict[str, str]) -> None:
    script = str(REPO / "scripts" / "run_demo.ps1")
    addresses = ["-Base", stack["gateway"], "-MailHog", stack["mailhog"]]
    done = subprocess.run(
        [str(POWERSHELL), "-NoProfile", "-File", script, *addresses],
        env={**os.environ, "SVC_INTERNAL_KEY": internal_key["X-Internal-Key"]},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "=== DEMO COMPLETE ==="


def different(ours: Call, theirs: Call) -> list[str]:
    """The fields whose values are known on both sides, and are not the same."""
    return [
        field
        for field, value in ours.fields.items()
        if UNKNOWN not in (value, theirs.fields[field]) and value != theirs.fields[field]
    ]
