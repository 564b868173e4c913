"""The supervisor's side of a warden: start a command, know when it ended, stop everything."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import StackError
from .state import REPO

MARKER = "LOCAL_STACK_MARKER"
WARDEN = "from scripts.localstack.warden import main; main()"


@dataclass(frozen=True, kw_only=True)
class Command:
    """One program. `tier`: higher ones are stopped first. `module`: a Python program, as `-m`."""

    name: str
    argv: tuple[str, ...]
    log: Path
    cwd: Path
    env: Mapping[str, str]
    tier: int = 0
    stop: int = signal.SIGTERM
    death: int = signal.SIGKILL
    user: tuple[int, int, bool] | None = None
    module: str = ""

    def as_plain(self) -> "Command":
        """The same without preloading: an interpreter of its own."""
        if not self.module:
            return self
        argv = (sys.executable, "-m", self.module, *self.argv)
        return Command(**{**vars(self), "argv": argv, "module": ""})


@dataclass
class Process:
    command: Command
    started: asyncio.Future[int]
    exited: asyncio.Future[int]
    on_exit: Callable[["Process"], None] | None = None

    @property
    def pid(self) -> int:
        return self.started.result() if self.started.done() else 0

    async def wait(self) -> int:
        """Its exit code, once it ended. Cancelling the wait leaves the process as it is."""
        return await asyncio.shield(self.exited)

    @property
    def running(self) -> bool:
        return self.started.done() and not self.exited.done()


@dataclass
class Warden:
    """Owns processes through a `warden.py`; `died` is set when that ended without being asked."""

    child: subprocess.Popen[bytes]
    writer: asyncio.StreamWriter
    ready: asyncio.Future[None]
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    processes: dict[str, Process] = field(default_factory=dict)
    stopping: bool = False
    on_death: Callable[[], None] | None = None
    _reader_task: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, *, marker: str, lock: int, env: Mapping[str, str], preload: tuple[str, ...] = ()
    ) -> "Warden":
        ours, theirs = socket.socketpair()
        arguments = ["--preload", ",".join(preload)] if preload else []
        flags = [] if preload else ["-E", "-s", "-S"]
        child = subprocess.Popen(  # noqa: ASYNC220 - two short ones, and the loop has nothing to do
            [sys.executable, *flags, "-c", WARDEN, str(theirs.fileno()), *arguments],
            pass_fds=(theirs.fileno(), lock),  # it holds the lock for as long as it owns processes
            cwd=REPO,
            env={**env, MARKER: marker},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        ours.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        warden = cls(child, writer, asyncio.get_running_loop().create_future())
        warden._reader_task = asyncio.create_task(warden._read(reader))
        return warden

    async def run(
        self, command: Command, on_exit: Callable[[Process], None] | None = None
    ) -> Process:
        """Starts `command`; StackError when there is no such program."""
        loop = asyncio.get_running_loop()
        process = Process(command, loop.create_future(), loop.create_future(), on_exit)
        self.processes[command.name] = process
        self._send(op="spawn", **_plain(command))
        await asyncio.shield(process.started)
        return process

    def signal(self, name: str, number: int) -> None:
        self._send(op="signal", name=name, signal=int(number))

    async def stop(self, grace: float) -> None:
        """Stops everything, tier by tier, and the warden itself; returns when all of it is gone."""
        self.stopping = True
        if not self.ready.done():  # still importing, so it owns nothing yet
            self.child.terminate()
        self._send(op="stop", grace=grace)
        await self.closed.wait()
        await asyncio.to_thread(self.child.wait)
        self.writer.close()

    def hurry(self) -> None:
        self.stopping = True
        self._send(op="kill")

    def _send(self, **request: Any) -> None:
        if not self.closed.is_set():
            self.writer.write(json.dumps(request).encode() + b"\n")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._handle(json.loads(line))
        except OSError:
            pass
        finally:
            self._close()

    def _close(self) -> None:
        self.closed.set()
        for process in self.processes.values():
            _settle(process.started, error=StackError("the process owner is gone"))
            _settle(process.exited, -signal.SIGKILL)
        _settle(self.ready, error=StackError("the process owner could not start"))
        if not self.stopping and self.on_death:
            self.on_death()

    def _handle(self, event: dict[str, Any]) -> None:
        if event["event"] == "ready":
            _settle(self.ready, None)
            return
        process = self.processes[event["name"]]
        if event["event"] == "spawned":
            _settle(process.started, event["pid"])
        elif event["event"] == "failed":
            error = StackError(f"{process.command.name} could not start: {event['error']}")
            _settle(process.started, error=error)
            _settle(process.exited, 127)
        elif event["pid"] == process.pid:
            _settle(process.exited, event["code"])
            if process.on_exit and not self.stopping:
                process.on_exit(process)


def _settle(future: asyncio.Future[Any], value: Any = None, error: Exception | None = None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
        future.exception()  # nobody need be waiting


def _plain(command: Command) -> dict[str, Any]:
    return {
        **vars(command),
        "log": str(command.log),
        "cwd": str(command.cwd),
        "env": dict(command.env),
        "stop": int(command.stop),
        "death": int(command.death),
    }


def sweep(marker: str) -> int:
    """Kills what carries the marker of a stack whose owner is gone; says how many that were."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARKER) == marker:
                process.kill()
                found.append(process)
    psutil.wait_procs(found, timeout=3)
    return len(found)
