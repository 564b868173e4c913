"""Settings that would only fail at the first use."""

import os
import subprocess
import sys

import pytest

from tests.support.forks import ROOT


@pytest.mark.parametrize("key", ["cl\u00e9", "a\nb", " key "])
def test_an_internal_key_that_no_header_can_carry_is_named_at_the_start(key: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import app.main"],
        cwd=ROOT / "services" / "auth",
        env={**os.environ, "SVC_INTERNAL_KEY": key},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("wrong settings: SVC_INTERNAL_KEY: ")
    assert len(done.stderr.splitlines()) == 1
    assert key.strip() not in done.stderr
