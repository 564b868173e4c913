"""CPU and memory of the stack's parts."""

import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

import psutil

OTHERS = "supervisor"

Cpu = Mapping[str, float]
"""Seconds of CPU since the part's start."""
Memory = Mapping[str, int]
"""Bytes."""


class Meter(Protocol):
    services: tuple[str, ...]
    servers: tuple[str, ...]
    memory_kind: str

    def cpu(self) -> Cpu: ...

    def memory(self) -> Memory: ...


class LocalMeter:
    """The local stack's processes, each part with its children."""

    def __init__(self, info: Mapping[str, Any]) -> None:
        self.services, self.servers = tuple(info["services"]), tuple(info["servers"])
        self.memory_kind = "PSS" if sys.platform == "linux" else "USS"
        self._info = info
        self._own: set[int] = set()

    def leave_out(self, pids: Collection[int]) -> None:
        """Processes that serve the bench itself: Postgres' for the bench's own connection."""
        self._own.update(pids)

    def cpu(self) -> Cpu:
        return {name: sum(map(_cpu, family)) for name, family in self._families().items()}

    def memory(self) -> Memory:
        families = self._families()
        return {name: sum(map(_memory, family)) for name, family in families.items()}

    def _families(self) -> dict[str, list[psutil.Process]]:
        """What belongs to no part of the stack is the supervisor's."""
        children = _children()
        parts = {**self._info["services"], **self._info["servers"]}
        families = {name: _family(part["pid"], children) for name, part in parts.items()}
        counted = {pid for family in families.values() for pid in family}
        everything = _family(self._info["supervisor"]["pid"], children)
        families[OTHERS] = [pid for pid in everything if pid not in counted]
        return {
            name: _processes(pid for pid in family if pid not in self._own)
            for name, family in families.items()
        }


def _children() -> dict[int, list[int]]:
    """By parent, in one pass over all processes."""
    found: dict[int, list[int]] = {}
    for process in psutil.process_iter(["ppid"]):
        found.setdefault(process.info["ppid"] or 0, []).append(process.pid)
    return found


def _family(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    family = [pid]
    for member in family:
        family += children.get(member, ())
    return family


def _processes(pids: Iterable[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with suppress(psutil.Error):
            found.append(psutil.Process(pid))
    return found


def _cpu(process: psutil.Process) -> float:
    """With that of children that have ended, such as Postgres' backends."""
    with suppress(psutil.Error):
        times = process.cpu_times()
        own: float = times.user + times.system
        return own + getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return 0.0


def _memory(process: psutil.Process) -> int:
    """PSS: memory that processes share is counted once, in parts. Elsewhere what it has alone."""
    with suppress(psutil.Error):
        found = process.memory_full_info()
        return int(getattr(found, "pss", found.uss))
    return 0


def total(values: Mapping[str, float], names: Iterable[str]) -> float:
    return sum(values.get(name, 0) for name in names)
