"""A background loop goes on whatever happens in it, and ends only when it is told to."""

import asyncio

from libs.loops import Loop
from tests.support.waiting import eventually


async def test_a_loop_starts_again_when_something_within_it_was_cancelled() -> None:
    """As a Kafka client's future is, whose connection was cut."""
    runs = 0

    async def run(loop: Loop) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            inner: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            inner.cancel()
            await inner
        with loop.waiting():
            await asyncio.Event().wait()

    loop = Loop("test", run)
    loop.start()

    async def runs_again() -> bool:
        return runs == 2

    await eventually(runs_again, what="a loop that starts again")
    async with asyncio.timeout(2):
        await loop.stop(limit=1)
