import pytest

from .conftest import REPO, Run

MODULES = {"bootstrap.py", "compose.py", "console.py", "stacks.py"}
SCRIPTS = sorted({path.name for path in (REPO / "scripts").glob("*.py")} - MODULES)


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_explains_itself(run: Run, script: str) -> None:
    done = run(script, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {script}")
    assert not done.stderr


# test.py passes on what it does not know to pytest.
@pytest.mark.parametrize("script", [script for script in SCRIPTS if script != "test.py"])
def test_an_unknown_argument_is_told_without_a_traceback(run: Run, script: str) -> None:
    done = run(script, "--no-such-thing")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
