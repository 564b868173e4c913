"""The result of a run as tables: the figures first, then what they are made of."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from rich.console import Console as Rich
from rich.table import Table

from .figures import FIGURES, Figure, ratios

WIDTH = 120
LATE = 10.0
"""Percent of the CPU that the client may take before it is said to distort."""


def print_result(data: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    """`data` is what `as_data` made; `before` the same of an earlier run."""
    console = Rich()
    if not console.is_terminal:
        console = Rich(width=WIDTH)
    for table in (_figures(data, before), _phases(data), _steps(data), _parts(data)):
        console.print(table)
        console.print()
    for line in _notes(data):
        console.print(line, markup=False, highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _figures(data: Mapping[str, Any], before: Mapping[str, Any] | None) -> Table:
    extra = ("before", "now/before") if before else ()
    table = _table("The figures", "", "measured", "target", "", *extra)
    f = data["f_ms"]
    if f:
        split = f"uvicorn {f['uvicorn']:.2f} + Traefik {f['traefik']:.2f}"
        earlier = (_number((before["f_ms"] or {}).get("all"), "ms"), "") if before else ()
        name = f"F, CPU of one bare request ({split})"
        table.add_row(name, _number(f["all"], "ms"), "", "", *earlier)
        table.add_section()
    old = before["figures"] if before else {}
    ratio = ratios(data["figures"], old)
    for figure in FIGURES:
        value = data["figures"][figure.key]
        row = (figure.name, _number(value, figure.unit), _target(figure), _verdict(figure, value))
        earlier = (_number(old.get(figure.key), figure.unit), _ratio(ratio.get(figure.key)))
        table.add_row(*row, *(earlier if before else ()))
    return table


def _phases(data: Mapping[str, Any]) -> Table:
    table = _table(
        "Flows: medians of the repetitions, in ms",
        *("", "/s", "p50", "p95", "p99", "cart", "check", "pay", "disp", "ready"),
        *("p99", "mail", "CPU", "F", "client"),
    )
    for phase in data["phases"]:
        times = phase["milliseconds"]
        whole, ready = times["whole flow"], times["ready"]
        cells = [whole["p50"], whole["p95"], whole["p99"]]
        cells += [times[step]["p50"] for step in ("cart add", "checkout", "pay", "dispatch")]
        cells += [ready["p50"], ready["p99"], phase["mail_lag_ms"].get("p50", 0)]
        table.add_row(
            phase["name"],
            f"{phase['flows_per_second']:.1f}",
            *(f"{cell:.0f}" for cell in cells),
            f"{phase['cpu_ms_per_flow']:.1f}",
            _in_f(phase["cpu_ms_per_flow"], data, 0),
            f"{phase['client_cpu_percent']:.1f}%",
        )
    return table


def _steps(data: Mapping[str, Any]) -> Table:
    columns = ("at once", "per s", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "F", "client")
    table = _table("Single steps", "", *columns)
    for step in data["steps"]:
        table.add_row(
            step["name"],
            str(step["concurrency"]),
            f"{step['per_second']:.0f}",
            *(f"{value:.1f}" for value in step["milliseconds"].values()),
            f"{step['cpu_ms']:.2f}",
            _in_f(step["cpu_ms"], data, 1),
            f"{step['client_cpu_percent']:.1f}%",
        )
    return table


def _parts(data: Mapping[str, Any]) -> Table:
    title = f"By service and server: CPU at the best concurrency, memory ({data['memory_kind']})"
    table = _table(title, "", "CPU ms/flow", "F/flow", "MiB before", "MiB after")
    for name, part in data["parts"].items():
        cpu = part["cpu_ms_per_flow"]
        memory = (f"{part['mib_before']:.1f}", f"{part['mib_after']:.1f}")
        table.add_row(name, f"{cpu:.2f}", _in_f(cpu, data, 1), *memory)
        if name.startswith("all "):
            table.add_section()
    return table


def _notes(data: Mapping[str, Any]) -> list[str]:
    notes = [_queue_note(phase) for phase in data["phases"]]
    shares = [each["client_cpu_percent"] for each in (*data["phases"], *data["steps"])]
    worst = max(shares, default=0.0)
    distorts = ": the client distorts the figures" if worst > LATE else ""
    notes.append(f"The client took {worst:.1f} % of the CPU at most{distorts}.")
    if not data["f_ms"]:
        notes.append("F needs the Traefik wheel, which this system has not.")
    if not data["errors"]:
        return [*notes, "No errors."]
    return notes + [
        f"ERROR {e['count']} x {e['step']} ({e['where']}): {_status(e['status'])}"
        for e in data["errors"]
    ]


def _queue_note(phase: Mapping[str, Any]) -> str:
    left = (
        f"{phase['unpublished_at_the_end']} events unpublished, {phase['untaken_at_the_end']} not"
        f" taken, {phase['mails_waiting_at_the_end']} mails waiting"
    )
    drained = phase["drained_seconds"]
    ending = "NOT empty within the limit" if drained is None else f"empty after {drained:.2f} s"
    return f"Queues after {phase['name']}: {left}; {ending}."


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    digits = 0 if value >= 1000 else 1 if value >= 10 else 2
    return f"{value:.{digits}f}{unit}" if unit.startswith("/") else f"{value:.{digits}f} {unit}"


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    sign = "≥" if figure.higher_is_better else "≤"
    number = f"{figure.target:g}"
    return f"{sign} {number}{'' if figure.unit.startswith('/') else ' '}{figure.unit}"


def _verdict(figure: Figure, value: float | None) -> str:
    met = None if value is None else figure.meets(value)
    return {None: "", True: "ok", False: "missed"}[met]


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"x {value:.2f}"


def _in_f(milliseconds: float, data: Mapping[str, Any], digits: int) -> str:
    return f"{milliseconds / data['f_ms']['all']:.{digits}f}" if data["f_ms"] else "-"


def _status(status: int) -> str:
    if not status:
        return "no answer, or not in time"
    known = {entry.value: entry.phrase for entry in HTTPStatus}
    return f"{status} {known.get(status, '')}".strip()
