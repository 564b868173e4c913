"""What a stack keeps on disk: its locks, data, logs, and `stack.json`, where others find it."""

import fcntl
import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, NotRequired, TypedDict

from .errors import StackError

REPO = Path(__file__).resolve().parents[2]
KEPT_RUNS = 5
STOPPING_LIMIT = 15.0
LOOK_LIMIT = 0.5  # somebody who only looks holds the lock for an instant


class ProcessInfo(TypedDict):
    pid: int
    url: NotRequired[str]
    port: int


class OwnerInfo(TypedDict):
    pid: int


class StackInfo(TypedDict):
    """`stack.json`. `env` is what a service needs to run as a further copy in this stack."""

    ready: bool
    gateway: str
    dashboard: str
    mailhog: str
    smtp: str
    kafka: str
    postgres_dsn: str
    redis_url: str
    s3_endpoint: str
    services: dict[str, ProcessInfo]
    servers: dict[str, ProcessInfo]
    logs: str
    env: dict[str, str]
    keep: bool
    supervisor: OwnerInfo
    marker: str
    started_at: str


def default_folder() -> Path:
    return Path(os.environ.get("LOCAL_STACK_DIR") or REPO / ".local").resolve()


@dataclass(frozen=True)
class Folder:
    """The state folder of one stack; `.local` unless said otherwise."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def stack_file(self) -> Path:
        return self.path / "stack.json"

    def read(self) -> StackInfo | None:
        """What `stack.json` says; it may be left over when `is_running` says no."""
        try:
            info: StackInfo = json.loads(self.stack_file.read_text())
        except (OSError, ValueError):
            return None
        return info if "marker" in info else None

    def write(self, info: StackInfo) -> None:
        fresh = self.path / f".stack.json.{os.getpid()}"
        fresh.write_text(json.dumps(info, indent=2) + "\n")
        fresh.chmod(0o600)
        fresh.replace(self.stack_file)

    def forget(self) -> None:
        self.stack_file.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether a supervisor holds this folder."""
        if not self.path.is_dir():
            return False
        lock = _open(self.path / "supervisor.lock")
        try:
            return not _try_lock(lock)
        finally:
            lock.close()

    def hold(self) -> tuple[IO[str], IO[str]]:
        """Takes the folder for this process: its own lock, and the one that its wardens share.

        A supervisor that was killed leaves wardens that are still stopping: those are waited for.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        mine, shared = _open(self.path / "supervisor.lock"), _open(self.path / "processes.lock")
        if not _lock_within(mine, LOOK_LIMIT):
            raise StackError(
                f"a local stack is running already in {self.path} "
                "(`python scripts/local.py status` shows it; Ctrl-C in its terminal stops it)"
            )
        if not _lock_within(shared, STOPPING_LIMIT):
            raise StackError(f"the last stack in {self.path} is still stopping; try again")
        return mine, shared

    def new_logs(self) -> Path:
        """The log folder of a new run; the oldest runs beyond the last few are deleted."""
        logs = self.path / "logs"
        logs.mkdir(exist_ok=True)
        runs = sorted(run for run in logs.iterdir() if run.is_dir() and not run.is_symlink())
        for old in runs[: max(0, len(runs) - KEPT_RUNS + 1)]:
            shutil.rmtree(old, ignore_errors=True)
        run = logs / f"{datetime.now():%Y%m%d-%H%M%S-%f}"[:-3]
        run.mkdir()
        with suppress(OSError):
            link = logs / "latest"
            link.unlink(missing_ok=True)
            link.symlink_to(run.name)
        return run

    def empty_data(self) -> None:
        if self.data.exists():
            shutil.rmtree(self.data)


def _open(path: Path) -> IO[str]:
    return path.open("a")


def _lock_within(file: IO[str], limit: float) -> bool:
    deadline = time.monotonic() + limit
    while not _try_lock(file):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def shown(path: Path) -> str:
    """A path as a reader in the repository would type it."""
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def tail(log: Path, lines: int = 3) -> str:
    """The end of a log in one line."""
    try:
        text = log.read_bytes()[-4000:].decode(errors="replace")
    except OSError:
        return ""
    last = [line.strip() for line in text.splitlines() if line.strip()][-lines:]
    return " | ".join(line if len(line) < 200 else line[:197] + "..." for line in last)
