"""The two ways to put load on: as many flows at once as there are customers, or at a fixed rate."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from .flow import Shopper, StepError
from .readiness import Readiness
from .samples import Window
from .world import World

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Timing:
    """Seconds of a warm-up, and how many repetitions of how many seconds follow it."""

    warm_up: float
    repetitions: int
    seconds: float


class Load:
    """Counts what ends while a window is open. Load goes on from one window to the next, so none
    holds a slow beginning or end."""

    def __init__(self, world: World, readiness: Readiness) -> None:
        self.world, self._readiness = world, readiness
        self.flows = 0
        """Flows that went through all steps, those of the warm-up too."""
        self._window = Window()

    def shopper(self, number: int) -> Shopper:
        return Shopper(self.world, self.world.customers[number], self._readiness)

    async def flow(self, shopper: Shopper, scheduled: float | None = None) -> None:
        try:
            times = await shopper.flow(scheduled)
        except StepError as failure:
            self._window.errors[failure.step, failure.status] += 1
        else:
            self.flows += 1
            self._window.add(times)

    async def watch(self, timing: Timing, progress: Progress) -> list[Window]:
        """The windows of the repetitions; errors of the warm-up count in the first of them."""
        self._window = warm_up = Window()
        progress("warming up")
        await asyncio.sleep(timing.warm_up)
        windows = []
        for number in range(1, timing.repetitions + 1):
            self._window = Window()
            if number == 1:
                self._window.errors.update(warm_up.errors)
            progress(f"repetition {number} of {timing.repetitions}")
            await asyncio.sleep(timing.seconds)
            self._window.close()
            windows.append(self._window)
        return windows


async def closed_loop(
    load: Load, concurrency: int, timing: Timing, progress: Progress
) -> list[Window]:
    """So many customers, each of whom orders again as soon as the last flow has ended."""
    stopping = asyncio.Event()

    async def work(number: int) -> None:
        shopper = load.shopper(number)
        while not stopping.is_set():
            await load.flow(shopper)
        shopper.connection.close()

    async with asyncio.TaskGroup() as group:
        for number in range(concurrency):
            group.create_task(work(number))
        windows = await load.watch(timing, progress)
        stopping.set()
    return windows


async def open_loop(load: Load, rate: float, timing: Timing, progress: Progress) -> list[Window]:
    """A flow begins every 1/rate seconds, whatever became of those before it.

    A flow counts from the time at which it was to begin. All customers may be busy then: it waits,
    and the wait is a part of it, as it is for the customers of a shop that can't keep up.
    """
    idle: asyncio.LifoQueue[Shopper] = asyncio.LifoQueue()
    shoppers = [load.shopper(number) for number in range(len(load.world.customers))]
    for shopper in shoppers:
        idle.put_nowait(shopper)

    async def arrive(scheduled: float) -> None:
        shopper = await idle.get()
        await load.flow(shopper, scheduled)
        idle.put_nowait(shopper)

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(load.watch(timing, progress))
        begin, number = time.perf_counter(), 0
        while not watching.done():
            scheduled = begin + number / rate
            await asyncio.sleep(max(0.0, scheduled - time.perf_counter()))
            group.create_task(arrive(scheduled))
            number += 1
    for shopper in shoppers:
        shopper.connection.close()
    return watching.result()
