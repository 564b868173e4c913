"""What a stretch of time is measured by: the time of each step, and the errors."""

import math
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

STEPS = ("cart add", "checkout", "pay", "ready", "dispatch")
"""`ready` is the lag from the answer of `pay` to the shipment's being READY_TO_SHIP."""
WHOLE = "whole flow"
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass
class Window:
    """What ended within one repetition; a flow with an error is no finished flow."""

    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {step: [] for step in (*STEPS, WHOLE)}
    )
    errors: Counter[tuple[str, int]] = field(default_factory=Counter)
    started: float = field(default_factory=time.perf_counter)
    ended: float = 0.0

    def add(self, times: Mapping[str, float]) -> None:
        for step, seconds in times.items():
            self.seconds[step].append(seconds)

    def close(self) -> None:
        self.ended = time.perf_counter()

    @property
    def finished(self) -> int:
        return len(self.seconds[WHOLE])

    @property
    def rate(self) -> float:
        return self.finished / (self.ended - self.started)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def percentiles(values: list[float]) -> dict[str, float]:
    """In milliseconds."""
    return {name: round(1000 * percentile(values, share), 2) for name, share in SHARES.items()}


def median_rate(windows: Iterable[Window]) -> float:
    return statistics.median(window.rate for window in windows)


def median_percentiles(windows: Iterable[Window], step: str) -> dict[str, float]:
    """Of each percentile the median over the repetitions that have the step, in milliseconds."""
    each = [percentiles(w.seconds[step]) for w in windows if w.seconds[step]]
    return {name: statistics.median(e[name] for e in each) if each else 0.0 for name in SHARES}
