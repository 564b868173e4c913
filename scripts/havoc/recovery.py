"""How long it takes after a fault until the stack serves again."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .client import BrokenPromise, GaveUp
from .probe import Probe
from .schedule import Fault


@dataclass
class Recovery:
    """`seconds` from the fault's end on; None when it did not come, and `missing` says what.

    `disturbed`: another fault, or its recovery, fell into it.
    """

    fault: Fault
    seconds: float | None = None
    disturbed: bool = False
    missing: str = ""


class Recoveries:
    def __init__(self, probes: Sequence[Probe]) -> None:
        self.all: list[Recovery] = []
        self._probes: asyncio.Queue[Probe] = asyncio.Queue()
        for probe in probes:
            self._probes.put_nowait(probe)
        self._open: list[Recovery] = []
        self._broken = 0

    def begins(self) -> None:
        """A target is broken now, and nothing recovers undisturbed meanwhile."""
        self._broken += 1
        for recovery in self._open:
            recovery.disturbed = True

    async def follow(self, fault: Fault) -> None:
        """The fault is over: wait until all is well."""
        self._broken -= 1
        recovery = Recovery(fault, disturbed=bool(self._broken or self._open))
        self.all.append(recovery)
        self._open.append(recovery)
        started = time.monotonic()
        probe = await self._probes.get()
        try:
            await probe.wait_until_served(fault.target)
            recovery.seconds = time.monotonic() - started
        except (GaveUp, BrokenPromise) as error:
            recovery.missing = str(error)
        finally:
            self._open.remove(recovery)
            self._probes.put_nowait(probe)
