"""Many requests of one kind: how many a second, how long, and what each costs."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .http import Connection
from .samples import percentiles

WARM_UP = 0.25
"""Of the time that is measured."""


@dataclass
class Burst:
    """What a stretch of requests took; `cpu` is filled in by whoever measures the other side."""

    count: int
    seconds: float
    times: dict[str, float]
    errors: Counter[int] = field(default_factory=Counter)
    client_cpu: float = 0.0

    @property
    def rate(self) -> float:
        return self.count / self.seconds


async def hammer(
    base: str, lists: Sequence[Sequence[bytes]], *, expect: int, seconds: float
) -> Burst:
    """One connection a list, each going round in it for so long. An error is no finished one."""
    times: list[float] = []
    errors: Counter[int] = Counter()
    client, started = time.process_time(), time.perf_counter()
    until = started + seconds

    async def work(messages: Sequence[bytes]) -> None:
        connection = Connection(base)
        for message in itertools.cycle(messages):
            begun = time.perf_counter()
            if begun > until:
                break
            status, _ = await connection.ask(message)
            if status == expect:
                times.append(time.perf_counter() - begun)
            else:
                errors[status] += 1
        connection.close()

    await asyncio.gather(*(work(messages) for messages in lists))
    took = time.perf_counter() - started
    spent = time.process_time() - client
    return Burst(len(times), took, percentiles(times), errors, spent)
