"""What the kernel does for the owner of processes: groups, orphans, users, death signals."""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_NAME, PR_SET_CHILD_SUBREAPER, PR_CAP_AMBIENT = (
    1,
    8,
    15,
    36,
    47,
)
CAP_DAC_OVERRIDE = 1


def prctl(option: int, value: int | bytes, third: int = 0) -> None:
    if LINUX:
        second = value if isinstance(value, bytes) else ctypes.c_ulong(value)
        zero = ctypes.c_ulong(0)
        ctypes.CDLL(None).prctl(option, second, ctypes.c_ulong(third), zero, zero)


def signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def adopted() -> list[int]:
    try:
        return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]
    except OSError:
        return []


def die_with_parent(owner: int, number: int) -> None:
    prctl(PR_SET_PDEATHSIG, number)
    if LINUX and os.getppid() != owner:
        os._exit(1)


def become_user(uid: int, gid: int, reach: bool) -> None:
    """Gives up root. With `reach` the process can still pass folders that only root may enter."""
    os.setgroups([])
    os.setgid(gid)
    if reach:
        prctl(PR_SET_KEEPCAPS, 1)
    os.setuid(uid)
    if reach:
        mask = 1 << CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0))
        prctl(PR_CAP_AMBIENT, 2, CAP_DAC_OVERRIDE)
