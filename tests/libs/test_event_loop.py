"""The event loop on Windows, with what makes Python there another one put in its place."""

import os
import subprocess
import sys

from tests.support.forks import ROOT

WINDOWS = """
import asyncio, sys
# As they are on this system:
import aiohttp, aiokafka, fastapi, psycopg, sqlalchemy.ext.asyncio, uvicorn

class ProactorEventLoop(asyncio.SelectorEventLoop):
    pass

asyncio.ProactorEventLoop = ProactorEventLoop
sys.modules["uvloop"] = None
sys.platform = "win32"
config = uvicorn.Config("app.main:app")
"""
CHOSEN = "print(config.get_loop_factory() is ProactorEventLoop)"


def on_windows(code: str, service: str = "payment") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WINDOWS + code],
        cwd=ROOT / "services" / service,
        env={name: value for name, value in os.environ.items() if name != "UVICORN_LOOP"},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_uvicorn_alone_takes_the_loop_that_psycopg_refuses() -> None:
    assert on_windows(CHOSEN).stdout.split() == ["True"]


def test_a_service_has_uvicorn_take_the_other_one() -> None:
    """The `uvicorn` command does these two things in this order."""
    done = on_windows(f"config.load_app()\n{CHOSEN}")
    assert done.stdout.split()[-1:] == ["False"], done.stderr


def test_where_the_wrong_loop_runs_already_the_service_says_what_to_do() -> None:
    serve = "asyncio.Runner(loop_factory=ProactorEventLoop).run(uvicorn.Server(config).serve())"
    done = on_windows(serve)
    assert done.returncode == 2
    assert "--loop asyncio:SelectorEventLoop" in done.stderr.splitlines()[0]
