"""A stack for other programs: scripts and tests."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from .errors import StackError
from .state import REPO, Folder, StackInfo, default_folder

START_LIMIT, STOP_LIMIT = 90.0, 20.0


class LocalStack:
    """`with LocalStack() as stack:` runs `local.py up` as a child; it ends with this process.

    `info` is the content of `stack.json`. Raises StackError, in one line, when it can't start.
    `quiet` hides its progress; `env` adds to the environment of everything in it; without `preload`
    each service has an interpreter of its own from the start, slower and larger.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        keep: bool = False,
        port_base: int | None = None,
        services_folder: Path = REPO / "services",
        env: Mapping[str, str] | None = None,
        quiet: bool = False,
        preload: bool = True,
    ) -> None:
        self.folder = Folder((folder or default_folder()).resolve())
        self.quiet = quiet
        self.env = {**os.environ, **(env or {})}
        self.arguments = ["--dir", str(self.folder.path), "--services-dir", str(services_folder)]
        self.arguments += ["--keep"] if keep else []
        self.arguments += ["--port-base", str(port_base)] if port_base is not None else []
        self.arguments += [] if preload else ["--no-preload"]
        self.info: StackInfo
        self.process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._errors: IO[bytes] | None = None

    @property
    def gateway(self) -> str:
        return self.info["gateway"]

    @property
    def mailhog(self) -> str:
        return self.info["mailhog"]

    def start(self) -> StackInfo:
        if self.folder.is_running():
            raise StackError(f"a local stack is running already in {self.folder.path}")
        self.folder.forget()
        ours = self._spawn()
        deadline = time.monotonic() + START_LIMIT
        while (info := self.folder.read()) is None or info["supervisor"]["pid"] != ours.pid:
            if ours.poll() is not None:
                raise StackError(self._close() or f"the stack ended with code {ours.returncode}")
            if time.monotonic() > deadline:
                self.stop()
                raise StackError(f"the stack was not up within {START_LIMIT:.0f} s")
            time.sleep(0.02)
        self.info = info
        return info

    def _spawn(self) -> subprocess.Popen[bytes]:
        theirs, self._lifeline = os.pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _close
        command = [sys.executable, str(REPO / "scripts" / "local.py"), "up"]
        options: Sequence[str] = (*self.arguments, "--parent-fd", str(theirs))
        self.process = subprocess.Popen(
            [*command, *options],
            env=self.env,
            pass_fds=(theirs,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if self.quiet else None,
            stderr=self._errors,
            start_new_session=True,  # a Ctrl-C is for the caller, who then stops us
        )
        os.close(theirs)
        return self.process

    def stop(self) -> None:
        """Stops the stack and waits until nothing of it is left."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self) -> str:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        message = ""
        if self._errors:
            self._errors.seek(0)
            message = self._errors.read().decode(errors="replace").strip()
            self._errors.close()
            self._errors = None
        return message

    def __enter__(self) -> "LocalStack":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
