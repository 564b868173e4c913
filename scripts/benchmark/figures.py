"""The figures that a run is judged by, each beside its target."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .run import Phase, Result, Step
from .samples import WHOLE, median_percentiles
from .usage import Cpu, total

MIB = 1024 * 1024
Values = dict[str, float | None]


@dataclass(frozen=True)
class Figure:
    """`key` names it in `--json`, and so between two versions; without a target it only informs."""

    key: str
    name: str
    unit: str
    target: float | None = None
    higher_is_better: bool = False

    def meets(self, value: float) -> bool | None:
        if self.target is None:
            return None
        return value >= self.target if self.higher_is_better else value <= self.target


FIGURES = (
    Figure("flows_per_second", "flows per second, best concurrency", "/s", 60, True),
    Figure("flow_cpu_f", "CPU per flow, services + servers", "F", 70),
    Figure("flow_cpu_ms", "the same", "ms"),
    Figure("flow_p50_alone_ms", "flow p50, one at a time", "ms", 45),
    Figure("ready_p50_alone_ms", "payment answered → READY_TO_SHIP p50, one at a time", "ms", 12),
    Figure("ready_p99_alone_ms", "… p99, one at a time", "ms", 40),
    Figure("ready_p50_at_16_ms", "… p50, concurrency 16", "ms", 60),
    Figure("ready_p99_at_16_ms", "… p99, concurrency 16", "ms", 250),
    Figure("ready_p99_at_half_ms", "… p99, arrivals at half of the best rate", "ms", 200),
    Figure("reads_per_second", "product reads per second, concurrency 16", "/s", 900, True),
    Figure("read_p50_ms", "product read p50, concurrency 16", "ms"),
    Figure("read_cpu_f", "CPU per product read", "F", 3.5),
    Figure("memory_fresh_mib", "memory of the services, fresh", "MiB", 400),
    Figure("memory_after_mib", "memory of the services, after the flows", "MiB", 450),
    Figure("start_seconds", "start to all healthy", "s", 3),
)
"""Every lag to READY_TO_SHIP begins when the client has the answer to its payment."""


def figures(result: Result) -> Values:
    """By key; None for what this run did not measure."""
    best, half = best_phase(result), open_phase(result)
    alone, crowd = closed_phase(result, 1), closed_phase(result, 16)
    read = next((step for step in result.steps if step.name == "product read"), None)
    f = result.baseline.f if result.baseline else None
    flow_cpu = cpu_per_flow(result, best) if best else None
    read_cpu = cpu_per_request(result, read) if read else None
    return {
        "flows_per_second": _rounded(best.flows_per_second if best else None, 2),
        "flow_cpu_f": _in_f(flow_cpu, f),
        "flow_cpu_ms": _rounded(flow_cpu, 2),
        "flow_p50_alone_ms": _time(alone, WHOLE, "p50"),
        "ready_p50_alone_ms": _time(alone, "ready", "p50"),
        "ready_p99_alone_ms": _time(alone, "ready", "p99"),
        "ready_p50_at_16_ms": _time(crowd, "ready", "p50"),
        "ready_p99_at_16_ms": _time(crowd, "ready", "p99"),
        "ready_p99_at_half_ms": _time(half, "ready", "p99"),
        "reads_per_second": _rounded(read.burst.rate if read else None, 1),
        "read_p50_ms": read.burst.times["p50"] if read and read.burst.count else None,
        "read_cpu_f": _in_f(read_cpu, f),
        "memory_fresh_mib": _rounded(total(result.memory_before, result.services) / MIB, 1),
        "memory_after_mib": _rounded(total(result.memory_after, result.services) / MIB, 1),
        "start_seconds": _rounded(result.start_seconds, 2),
    }


def best_phase(result: Result) -> Phase | None:
    """The closed loop that got most flows through."""
    closed = [phase for phase in result.phases if phase.rate is None and phase.flows]
    return max(closed, key=lambda phase: phase.flows_per_second, default=None)


def open_phase(result: Result) -> Phase | None:
    return next((phase for phase in result.phases if phase.rate is not None), None)


def closed_phase(result: Result, concurrency: int) -> Phase | None:
    for phase in result.phases:
        if phase.rate is None and phase.concurrency == concurrency:
            return phase
    return None


def cpu_per_flow(result: Result, phase: Phase) -> float:
    """Milliseconds of all services and servers."""
    return 1000 * _stack_cpu(result, phase.cpu) / max(1, phase.flows)


def cpu_per_request(result: Result, step: Step) -> float:
    return 1000 * _stack_cpu(result, step.cpu) / max(1, step.burst.count)


def client_share(result: Result, client: float, cpu: Cpu) -> float:
    """Of all the CPU time that stack and client took together, in percent."""
    return round(100 * client / max(1e-9, client + _stack_cpu(result, cpu)), 1)


def ratios(now: Values, before: Mapping[str, Any]) -> dict[str, float]:
    """Now against an earlier run, of what both have."""
    return {
        key: round(value / before[key], 3)
        for key, value in now.items()
        if value is not None and before.get(key)
    }


def _stack_cpu(result: Result, cpu: Cpu) -> float:
    return total(cpu, (*result.services, *result.servers))


def _time(phase: Phase | None, step: str, share: str) -> float | None:
    found = median_percentiles(phase.windows, step)[share] if phase else 0.0
    return _rounded(found or None, 2)


def _in_f(milliseconds: float | None, f: float | None) -> float | None:
    return round(milliseconds / f, 2) if milliseconds is not None and f else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
