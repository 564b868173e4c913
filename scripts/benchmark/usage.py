"""CPU and memory of the local stack's processes."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

CLIENT, OTHERS = "bench client", "supervisor"


@dataclass(frozen=True)
class Usage:
    """By process: seconds of CPU since its start, and bytes of memory (PSS on Linux)."""

    cpu: Mapping[str, float]
    memory: Mapping[str, int]


def measure(info: Mapping[str, Any]) -> Usage:
    """Each part of the stack with its children; what is left of the stack is the supervisor's."""
    parts = {**info["services"], **info["servers"]}
    families = {name: _family(part["pid"]) for name, part in parts.items()}
    counted = {process.pid for family in families.values() for process in family}
    everything = _family(info["supervisor"]["pid"])
    families[OTHERS] = [process for process in everything if process.pid not in counted]
    memory = {name: sum(map(_memory, family)) for name, family in families.items()}
    families[CLIENT] = [psutil.Process()]
    cpu = {name: sum(map(_cpu, family)) for name, family in families.items()}
    return Usage(cpu, memory)


def _family(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


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
