import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from scripts.checks.report import Report
from scripts.checks.tests import Stream
from scripts.console import Console

from .conftest import Run


@pytest.mark.parametrize(
    ("check", "file", "code"),
    [
        ("format", "libs/odd.py", "x   =  1\n"),
        ("lint", "libs/odd.py", "import os\n"),
        ("imports", "libs/odd.py", "from services.payment.app import models\n\nx = models\n"),
        ("imports", "services/payment/app/schemas.py", "from . import routes\n\nx = routes\n"),
        (
            "imports",
            "services/payment/app/clients.py",
            "from services.catalog.app import models\n\nx = models\n",
        ),
    ],
)
def test_a_check_finds_what_it_is_for(
    run: Run, clone: Path, check: str, file: str, code: str
) -> None:
    fine = run("test.py", "--only", check, repo=clone)
    assert fine.returncode == 0, fine.stdout
    (clone / file).write_text(code)
    done = run("test.py", "--only", check, repo=clone)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == f"Failed checks: {check} (see above)"


def test_the_summary_of_the_tests_waits_for_its_end() -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        stream = Stream(Report(Console()))
        for text in ("tests/x.py ..", ".F  [100%]\n", "=== 3 passed,", " 1 failed in 0.12s ===\n"):
            stream.feed(text)
    assert printed.getvalue() == "tests/x.py ...F  [100%]\n"
    assert stream.summary == "=== 3 passed, 1 failed in 0.12s ==="
