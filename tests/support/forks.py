"""Python programs out of one process that has the packages imported, as the local stack starts
its services: a start costs 0.1 s of CPU, where an interpreter of its own takes 1.2 s."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from scripts.localstack.plan import MALLOC
from scripts.localstack.processes import WARDEN
from scripts.localstack.services import PRELOAD

ROOT = Path(__file__).resolve().parents[2]
AT_MOST = 20.0
OF_SCRIPTS = ("httpx", "psutil")


class Fork:
    """A running program, with the methods of a Popen that the tests need."""

    def __init__(self, parent: "_Parent", name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self.started: Future[int] = Future()
        self.exited: Future[int] = Future()
        self._parent = parent

    @property
    def pid(self) -> int:
        return self.started.result(AT_MOST)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """To it and what it has started; nothing happens when it has ended."""
        self._parent.send(op="signal", name=self.name, signal=int(number))

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises TimeoutError."""
        return self.exited.result(timeout)

    def output(self) -> str:
        """What it has said, once."""
        said = self.log.read_text(encoding="utf-8", errors="replace")
        self.log.unlink()
        return said


class _Parent:
    """A warden of `scripts.localstack`. It ends, with all that it owns, when we do."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="forks")
        self._ours, theirs = socket.socketpair()
        preload = ("--preload", ",".join((*PRELOAD, *OF_SCRIPTS)))
        with theirs:
            self._process = subprocess.Popen(
                [*(sys.executable, "-c", WARDEN), str(theirs.fileno()), *preload],
                pass_fds=(theirs.fileno(),),
                cwd=ROOT,
                env={**MALLOC, **os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._forks: dict[str, Fork] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def fork(self, module: str, *argv: str, cwd: Path, env: Mapping[str, str]) -> Fork:
        """`python -m module argv...`; what it says is its `output`."""
        name = f"{module} {uuid4().hex}"
        fork = Fork(self, name, Path(self._folder.name) / name)
        self._forks[fork.name] = fork
        program = {"module": module, "argv": argv, "cwd": str(cwd), "env": dict(env)}
        rules = {"death": signal.SIGKILL, "stop": signal.SIGTERM, "tier": 0, "user": None}
        self.send(op="spawn", name=fork.name, log=str(fork.log), **program, **rules)
        fork.started.result(AT_MOST)
        return fork

    def send(self, **request: Any) -> None:
        self._ours.sendall(json.dumps(request).encode() + b"\n")

    def stop(self) -> None:
        self.send(op="stop", grace=1.0)
        self._process.wait(AT_MOST)
        self._ours.close()
        self._folder.cleanup()

    def _read(self) -> None:
        with self._ours.makefile("rb") as lines:
            for line in lines:
                self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        if event["event"] == "spawned":
            self._forks[event["name"]].started.set_result(event["pid"])
        elif event["event"] == "exited":
            self._forks.pop(event["name"]).exited.set_result(event["code"])


@cache
def parent() -> _Parent:
    return _Parent()


def stop_parent() -> None:
    """At the end of all tests."""
    if parent.cache_info().currsize:
        parent().stop()
        parent.cache_clear()
