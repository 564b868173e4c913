"""What a run is measured by: the time of each step, and the errors."""

import math
import time
from collections import Counter
from dataclasses import dataclass, field

STEPS = ("cart add", "checkout", "pay", "ready", "dispatch")
"""`ready` is the lag from the answer of `pay` to the shipment's being READY_TO_SHIP."""
WHOLE = "whole flow"


@dataclass
class Recorder:
    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {s: [] for s in (*STEPS, WHOLE)}
    )
    errors: Counter[tuple[str, int]] = field(default_factory=Counter)
    order_ids: list[int] = field(default_factory=list)
    polls: int = 0
    started: float = field(default_factory=time.perf_counter)
    ended: float = 0.0

    @property
    def finished(self) -> int:
        """Flows that went through all steps; one with an error never counts."""
        return len(self.seconds[WHOLE])

    @property
    def duration(self) -> float:
        return self.ended - self.started


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


class Pace:
    """When to ask whether a shipment is ready: soon, then ever less often.

    It must not learn from the lags that it has measured: they hold its own pauses.
    """

    first = 0.015

    @staticmethod
    def next(waited: float) -> float:
        """So that a lag is measured to a fifth of itself, or 10 ms."""
        return min(max(waited / 5, 0.01), 0.25)
