"""F: the CPU time of one bare request, so that figures carry from one machine to another.

An empty FastAPI endpoint under uvicorn, behind a Traefik of the version and settings that the local
stack has, by 16 connections at once. Docker's stack has the same Traefik.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from ..console import ScriptError
from ..stacks import REPO
from .http import Connection, Head
from .requests import hammer

CONNECTIONS = 16
START_LIMIT = 20.0
_NAME = "auth"  # the routes file knows the services' names only
_APP = "scripts.benchmark.bare:app"


@dataclass(frozen=True)
class Baseline:
    """Milliseconds of CPU a bare request."""

    uvicorn: float
    traefik: float

    @property
    def f(self) -> float:
        return self.uvicorn + self.traefik


async def measure_baseline(
    rounds: int, seconds: float, progress: Callable[[str], None]
) -> Baseline | None:
    """The median of the rounds; None where there is no Traefik wheel."""
    if sys.platform == "win32":
        return None
    progress("F: starting a bare endpoint")
    with tempfile.TemporaryDirectory() as folder, _gateway(Path(folder)) as (base, pids):
        await _until_up(base)
        found = []
        for number in range(rounds + 1):
            progress(f"F: round {number} of {rounds}" if number else "F: warming up")
            found.append(await _round(base, pids, seconds if number else seconds / 2))
    measured = found[1:]
    return Baseline(*(statistics.median(each[i] for each in measured) for i in (0, 1)))


async def _round(base: str, pids: tuple[int, int], seconds: float) -> tuple[float, ...]:
    message = Head(base, "GET", f"/{_NAME}/bare").bare()
    before = [_cpu(pid) for pid in pids]
    burst = await hammer(base, [[message]] * CONNECTIONS, expect=200, seconds=seconds)
    if burst.errors:
        raise ScriptError(f"The bare endpoint answered {dict(burst.errors)}")
    after = [_cpu(pid) for pid in pids]
    return tuple(1000 * (b - a) / burst.count for a, b in zip(before, after, strict=True))


@contextmanager
def _gateway(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """(its address, (uvicorn's pid, Traefik's pid))"""
    from ..localstack.ports import free_ports
    from ..localstack.servers import traefik

    web, dashboard, app = (f"127.0.0.1:{port}" for port in free_ports(3))
    port = app.rpartition(":")[2]
    uvicorn = [sys.executable, "-m", "uvicorn", _APP, "--port", port, "--no-access-log"]
    uvicorn += ["--loop", "uvloop", "--http", "httptools", "--timeout-keep-alive", "120"]
    env = {**os.environ, "PYTHONPATH": str(REPO), f"{_NAME.upper()}_URL": f"http://{app}"}
    gateway = traefik(web=web, dashboard=dashboard, access_log=folder / "access.log")
    with ExitStack() as running:
        pids = []
        for command in (uvicorn, gateway):
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={k: v for k, v in env.items() if not k.startswith("UVICORN_")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is for us, and we stop it
            )
            running.callback(_stop, process)
            pids.append(process.pid)
        yield f"http://{web}", (pids[0], pids[1])


async def _until_up(base: str) -> None:
    try:
        async with asyncio.timeout(START_LIMIT):
            while True:
                connection = Connection(base)
                status, _ = await connection.request("GET", f"/{_NAME}/bare")
                connection.close()
                if status == 200:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise ScriptError("The bare endpoint that F is measured by does not come up") from None


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
