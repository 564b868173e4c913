"""Breaks things as the schedule says."""

import asyncio
import time
from collections.abc import Callable, Sequence

from .machine import Machine, TargetBusyError
from .recovery import Recoveries
from .schedule import Fault


class Injector:
    """`done` are the faults that happened, `skipped` those whose target was not up."""

    def __init__(
        self, machine: Machine, recoveries: Recoveries, progress: Callable[[str], None]
    ) -> None:
        self._machine, self._recoveries, self._progress = machine, recoveries, progress
        self.done: list[Fault] = []
        self.skipped: list[Fault] = []

    async def run(self, faults: Sequence[Fault]) -> None:
        """Returns when the last one is over and recovered from. Leaves nothing frozen."""
        started = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                for fault in faults:
                    await asyncio.sleep(started + fault.at - time.monotonic())
                    group.create_task(self._break(fault))
        finally:
            self._machine.thaw_all()

    async def _break(self, fault: Fault) -> None:
        self._recoveries.begins()
        self._progress(str(fault))
        try:
            await self._inflict(fault)
        except TargetBusyError:
            self.skipped.append(fault)
        else:
            self.done.append(fault)
        await self._recoveries.follow(fault)

    async def _inflict(self, fault: Fault) -> None:
        if fault.kind == "freeze":
            await self._machine.freeze(fault.target)
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                await self._machine.thaw(fault.target)
        elif fault.kind == "kill":
            await self._machine.kill(fault.target)
        else:
            await self._machine.restart(fault.target)
