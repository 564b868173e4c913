"""A run as data, for `--json`."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .figures import (
    FIGURES,
    MIB,
    best_phase,
    client_share,
    cpu_per_flow,
    cpu_per_request,
    figures,
)
from .queues import lags
from .run import Phase, Result, Step
from .samples import STEPS, WHOLE, median_percentiles
from .usage import OTHERS, total


def as_data(result: Result) -> dict[str, Any]:
    baseline = result.baseline
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "f_ms": baseline
        and {
            "all": round(baseline.f, 4),
            "uvicorn": round(baseline.uvicorn, 4),
            "traefik": round(baseline.traefik, 4),
        },
        "figures": figures(result),
        "targets": {f.key: f.target for f in FIGURES if f.target is not None},
        "phases": [_phase(result, phase) for phase in result.phases],
        "steps": [_step(result, step) for step in result.steps],
        "parts": _parts(result),
        "memory_kind": result.memory_kind,
        "errors": _errors(result),
    }


def _phase(result: Result, phase: Phase) -> dict[str, Any]:
    depths = phase.drained.depths
    seconds = phase.drained.seconds
    return {
        "name": phase.name,
        "concurrency": phase.concurrency,
        "arrivals_per_second": phase.rate and round(phase.rate, 2),
        "flows": phase.flows,
        "flows_per_second": round(phase.flows_per_second, 2),
        "milliseconds": {step: median_percentiles(phase.windows, step) for step in (*STEPS, WHOLE)},
        "mail_lag_ms": phase.mail_lag,
        "cpu_ms_per_flow": round(cpu_per_flow(result, phase), 2),
        "client_cpu_percent": client_share(result, phase.client_cpu, phase.cpu),
        "left_at_the_end": {name: count for name, count in depths.items() if count},
        "unpublished_at_the_end": sum(n for name, n in depths.items() if name.endswith(" outbox")),
        "untaken_at_the_end": lags(depths),
        "mails_waiting_at_the_end": depths.get("mails", 0),
        "drained_seconds": None if seconds is None else round(seconds, 2),
        "errors": sum(phase.errors.values()),
    }


def _step(result: Result, step: Step) -> dict[str, Any]:
    burst = step.burst
    return {
        "name": step.name,
        "concurrency": step.concurrency,
        "count": burst.count,
        "per_second": round(burst.rate, 1),
        "milliseconds": burst.times,
        "cpu_ms": round(cpu_per_request(result, step), 3),
        "client_cpu_percent": client_share(result, burst.client_cpu, step.cpu),
        "errors": sum(burst.errors.values()),
    }


def _parts(result: Result) -> dict[str, dict[str, float]]:
    """By service and server: CPU per flow at the best concurrency, and memory."""
    best = best_phase(result)
    cpu = best.cpu if best else {}
    flows = best.flows if best else 1
    names: Mapping[str, tuple[str, ...]] = {
        **{name: (name,) for name in result.services},
        "all services": result.services,
        **{name: (name,) for name in result.servers},
        "all servers": result.servers,
        **({OTHERS: (OTHERS,)} if OTHERS in result.memory_after else {}),
        "whole stack": (*result.services, *result.servers, OTHERS),
    }
    return {
        name: {
            "cpu_ms_per_flow": round(1000 * total(cpu, members) / flows, 2),
            "mib_before": round(total(result.memory_before, members) / MIB, 1),
            "mib_after": round(total(result.memory_after, members) / MIB, 1),
        }
        for name, members in names.items()
    }


def _errors(result: Result) -> list[dict[str, Any]]:
    """Where, which step, which status (0: no answer, or not in time), how often."""
    found = [
        {"where": phase.name, "step": step, "status": status, "count": count}
        for phase in result.phases
        for (step, status), count in sorted(phase.errors.items())
    ]
    return found + [
        {"where": "single steps", "step": step.name, "status": status, "count": count}
        for step in result.steps
        for status, count in sorted(step.burst.errors.items())
    ]
