"""A Python program in a forked child: what `python -m` does, without a new interpreter."""

import atexit
import os
import runpy
import signal
import sys
import threading
import traceback
from contextlib import suppress
from typing import Any

from .kernel import PR_SET_NAME, die_with_parent, prctl

Spec = dict[str, Any]


def run_program(spec: Spec, owner: int) -> None:
    """What `python -m <module> <arguments>` does, in a forked child of the preloaded warden."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(spec["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, 256)
    die_with_parent(owner, spec["death"])
    prctl(PR_SET_NAME, spec["name"].encode()[:15])
    os.chdir(spec["cwd"])
    os.environ.clear()
    os.environ.update(spec["env"])
    sys.argv = [spec["module"], *spec["argv"]]
    sys.path.insert(0, spec["cwd"])
    end(exit_code(spec["module"]))


def exit_code(module: str) -> int:
    """Runs it as `-m` does, and says how it ended."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def end(code: int) -> None:
    """Ends as an interpreter does, without taking apart what was imported: that costs 0.5 s."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
