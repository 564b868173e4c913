"""The owner of a stack's processes: starts them, waits for them, and outlives no supervisor.

Runs as a process of its own, with the standard library alone. It is the parent of everything that
it starts, so a pid that it signals can't have been reused, and it holds one end of a socket whose
other end only the supervisor has: when the supervisor is gone, however it went, the socket closes
and the warden stops all that it owns. Should the warden itself be killed, the kernel signals its
children (Linux), and the supervisor sweeps up by the marker in their environment.

With `--preload` it first imports the modules that every service needs and then forks Python
programs from itself instead of starting an interpreter for each: they share one set of imports.

JSON lines in: spawn, signal, stop, kill. JSON lines out: ready, spawned, failed, exited.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .kernel import (
    PR_SET_CHILD_SUBREAPER,
    adopted,
    become_user,
    die_with_parent,
    prctl,
    signal_group,
)
from .program import Spec, run_program

GRACE = 1.5  # seconds that a tier has when the supervisor died


class Become(Exception):  # noqa: N818 - not an error: unwinds a forked child to the top of the stack
    """In a forked child: the program that it is to run."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec["name"])
        self.spec = spec


class Warden:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.buffer = b""
        self.children: dict[int, Spec] = {}
        self.orphaned = False
        self.hurry = False
        self.wakeup, wakeup_write = socket.socketpair()
        self.wakeup.setblocking(False)
        wakeup_write.setblocking(False)
        self._wakeup_write = wakeup_write
        signal.set_wakeup_fd(wakeup_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "orphaned", True))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ)
        self.selector.register(self.wakeup, selectors.EVENT_READ)

    def run(self) -> None:
        self.send(event="ready")
        while not self.orphaned:
            for request in self.wait(None):
                if request["op"] in {"stop", "kill"}:
                    return self.stop_all(request.get("grace", 0.0))
                self.handle(request)
            self.reap()
        return self.stop_all(GRACE)

    def wait(self, timeout: float | None) -> list[Spec]:
        """The requests that came in; returns early when a child ended."""
        requests: list[Spec] = []
        for key, _ in self.selector.select(timeout):
            if key.fileobj is self.wakeup:
                with suppress(BlockingIOError):
                    self.wakeup.recv(4096)
            else:
                requests += self.receive()
        return requests

    def receive(self) -> list[Spec]:
        try:
            data = self.control.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self.orphaned = True
            self.selector.unregister(self.control)
            return []
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def send(self, **event: Any) -> None:
        with suppress(OSError):
            self.control.sendall(json.dumps(event).encode() + b"\n")

    def handle(self, request: Spec) -> None:
        if request["op"] == "signal":
            for pid, spec in self.children.items():
                if spec["name"] == request["name"]:
                    signal_group(pid, request["signal"])
            return
        try:
            pid = self.fork(request) if request["module"] else spawn(request)
        except (OSError, subprocess.SubprocessError) as error:
            self.send(event="failed", name=request["name"], error=str(error))
            return
        self.children[pid] = request
        self.send(event="spawned", name=request["name"], pid=pid)

    def fork(self, spec: Spec) -> int:
        pid = os.fork()
        if pid:
            return pid
        raise Become(spec)

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            spec = self.children.pop(pid, None)
            if spec is None:
                continue
            signal_group(pid, signal.SIGKILL)  # what a program leaves behind in its group
            self.kill_orphans()
            code = os.waitstatus_to_exitcode(status)
            self.send(event="exited", name=spec["name"], pid=pid, code=code)

    def kill_orphans(self) -> int:
        """Ends the processes that lost their parent and were handed to us (Linux)."""
        pids = [pid for pid in adopted() if pid not in self.children]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def stop_all(self, grace: float) -> None:
        """Stops tier after tier, the highest first; kills what is left after `grace` seconds."""
        for tier in sorted({spec["tier"] for spec in self.children.values()}, reverse=True):
            self.stop_tier(tier, grace)
        deadline = time.monotonic() + 2
        while self.kill_orphans() and time.monotonic() < deadline:
            self.wait(0.01)
            self.reap()

    def stop_tier(self, tier: int, grace: float) -> None:
        def members() -> list[int]:
            return [pid for pid, spec in self.children.items() if spec["tier"] == tier]

        for pid in members():
            signal_group(pid, self.children[pid]["stop"])
        deadline = time.monotonic() + grace
        while members() and not self.hurry and (left := deadline - time.monotonic()) > 0:
            self.hurry = any(request["op"] == "kill" for request in self.wait(left))
            self.reap()
        for pid in members():
            signal_group(pid, signal.SIGKILL)
        while members():
            self.wait(0.05)
            self.reap()


def spawn(spec: Spec) -> int:
    with Path(spec["log"]).open("ab") as log:
        process = subprocess.Popen(
            spec["argv"],
            cwd=spec["cwd"],
            env=spec["env"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=prepare(spec),
        )
    process.returncode = 0  # we wait for it ourselves
    return process.pid


def prepare(spec: Spec) -> Callable[[], None]:
    owner = os.getpid()

    def enter() -> None:
        if spec["user"]:
            become_user(*spec["user"])
        die_with_parent(owner, spec["death"])

    return enter


def preload(modules: list[str]) -> None:
    sys.path.pop(0)
    for module in modules:
        with suppress(Exception):  # a missing one is the business of the program that needs it
            importlib.import_module(module)
    gc.collect()
    gc.freeze()


def main() -> None:
    owner = os.getpid()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    control = socket.socket(fileno=int(sys.argv[1]))
    if "--preload" in sys.argv:
        preload(sys.argv[3].split(","))
    program: Spec | None = None
    warden = Warden(control)
    try:
        warden.run()
    except Become as child:
        program = child.spec
        warden.selector.close()
        warden.wakeup.detach()
        warden._wakeup_write.detach()
        control.detach()
    if program:
        run_program(program, owner)


if __name__ == "__main__":
    main()
