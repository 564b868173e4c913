"""The result of a run, as data and as a table."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from rich.console import Console as Rich
from rich.table import Table

from .recorder import STEPS, WHOLE, Recorder, percentile
from .usage import CLIENT, OTHERS, Usage, total

MIB = 1024 * 1024


@dataclass(frozen=True)
class Result:
    recorder: Recorder
    concurrency: int
    drained_seconds: float | None
    undrained: str
    before: Usage | None
    after: Usage | None
    services: tuple[str, ...]
    servers: tuple[str, ...]
    seconds_of_usage: float

    def data(self) -> dict[str, Any]:
        recorder = self.recorder
        return {
            "flows": recorder.finished,
            "concurrency": self.concurrency,
            "seconds": round(recorder.duration, 3),
            "flows_per_second": round(recorder.finished / recorder.duration, 2),
            "milliseconds": {
                step: _percentiles(recorder.seconds[step]) for step in (*STEPS, WHOLE)
            },
            "polls_per_flow": round(recorder.polls / max(1, recorder.finished), 2),
            "errors": [
                {"step": step, "status": status, "count": count}
                for (step, status), count in sorted(recorder.errors.items())
            ],
            "drained_seconds": _rounded(self.drained_seconds),
            "undrained": self.undrained,
            "cpu_ms_per_flow": self._cpu(),
            "client_cpu_percent_of_a_core": self._client_percent(),
            "memory_mib": self._memory(),
        }

    def _cpu(self) -> dict[str, float] | None:
        if not self.before or not self.after:
            return None
        flows = max(1, self.recorder.finished)
        spent = {
            name: round((seconds - self.before.cpu.get(name, 0)) * 1000 / flows, 2)
            for name, seconds in self.after.cpu.items()
        }
        services, servers = total(spent, self.services), total(spent, self.servers)
        sums = {"all services": round(services, 2), "all servers": round(servers, 2)}
        return spent | sums

    def _client_percent(self) -> float | None:
        if not self.before or not self.after:
            return None
        seconds = self.after.cpu[CLIENT] - self.before.cpu[CLIENT]
        return round(100 * seconds / self.seconds_of_usage, 1)

    def _memory(self) -> dict[str, dict[str, float]] | None:
        if not self.before or not self.after:
            return None
        parts = {"all services": self.services, "all servers": self.servers}
        parts["whole stack"] = (*self.services, *self.servers, OTHERS)
        names = {**{name: (name,) for name in (*self.services, *self.servers, OTHERS)}, **parts}
        return {
            name: {
                "before": round(total(self.before.memory, members) / MIB, 1),
                "after": round(total(self.after.memory, members) / MIB, 1),
            }
            for name, members in names.items()
        }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: round(1000 * percentile(seconds, share), 1) for name, share in shares.items()}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def print_result(result: Result) -> None:
    """One table: the steps' times, then what each process used, then the run's own figures."""
    data = result.data()
    table = Table(title=_title(data), title_justify="left")
    table.add_column("")
    times = ("p50 ms", "p95 ms", "p99 ms")
    usage = ("CPU ms/flow", "MiB before", "MiB after") if result.before else ()
    for column in (*times, *usage):
        table.add_column(column, justify="right")
    for step, values in data["milliseconds"].items():
        name = "ready (lag after pay)" if step == "ready" else step
        table.add_row(name, *(f"{value:.1f}" for value in values.values()))
    table.add_section()
    for row in _usage_rows(data, result):
        table.add_row(*row)
    console = Rich()
    if not console.is_terminal:
        console = Rich(width=110)
    console.print(table)
    for line in _footnotes(data):
        console.print(line, markup=False, highlight=False)


def _title(data: dict[str, Any]) -> str:
    return (
        f"{data['flows']} flows at concurrency {data['concurrency']} in {data['seconds']:.1f} s: "
        f"{data['flows_per_second']:.1f} flows/s"
    )


def _usage_rows(data: dict[str, Any], result: Result) -> list[tuple[str, ...]]:
    cpu, memory = data["cpu_ms_per_flow"], data["memory_mib"]
    if cpu is None or memory is None:
        return []
    names = (*result.services, "all services", *result.servers, "all servers", OTHERS)
    rows = [_usage_row(name, cpu, memory) for name in (*names, "whole stack")]
    return [*rows, _usage_row(CLIENT, cpu, memory)]


def _usage_row(name: str, cpu: dict[str, float], memory: dict[str, Any]) -> tuple[str, ...]:
    spent = f"{cpu[name]:.2f}" if name in cpu else ""
    mib = memory.get(name)
    sizes = (f"{mib['before']:.1f}", f"{mib['after']:.1f}") if mib else ("", "")
    return (name, "", "", "", spent, *sizes)


def _footnotes(data: dict[str, Any]) -> list[str]:
    drained = data["drained_seconds"]
    notes = [
        f"{data['polls_per_flow']:.1f} polls for READY_TO_SHIP a flow",
        f"rest of the work done {drained:.1f} s after the last flow"
        if drained is not None
        else f"rest of the work: {data['undrained']}",
    ]
    if data["client_cpu_percent_of_a_core"] is not None:
        notes.append(f"the bench itself used {data['client_cpu_percent_of_a_core']} % of a core")
    else:
        notes.append("CPU and memory are measured on the local stack only")
    return notes + [
        f"ERROR {e['count']} x {e['step']}: {_status(e['status'])}" for e in data["errors"]
    ]


def _status(status: int) -> str:
    if not status:
        return "no answer in time"
    known = {entry.value: entry.phrase for entry in HTTPStatus}
    return f"{status} {known.get(status, '')}".strip()
