"""The result of a run, as data and as tables."""

from collections import Counter
from statistics import median
from typing import Any

from rich.console import Console as Rich
from rich.table import Table

from ..auditing.report import as_data as audit_data
from ..auditing.report import proven, show_outcomes
from ..console import GREEN, RED, YELLOW, Console
from .machine import SERVICES
from .recovery import Recovery
from .run import Run
from .schedule import KINDS

_SHOWN = 20
_MEANINGS = {
    "clean": "problem document",
    "unclean": "NOT CLEAN",
    "gateway": "by the gateway itself",
    "none": "no answer",
}


def held(run: Run) -> bool:
    recovered = all(recovery.seconds is not None for recovery in run.recoveries)
    clean = not run.traffic.tally.unclean
    happened = bool(run.done) and run.traffic.finished.total() > 0
    kept = happened and recovered and clean and not run.lost and not run.busy
    return kept and proven(run.audit)


def as_data(run: Run) -> dict[str, Any]:
    traffic, plan = run.traffic, run.plan
    return {
        "held": held(run),
        "seed": plan.seed,
        "seconds": plan.seconds,
        "every": plan.every,
        "buyers": plan.buyers,
        "patience": plan.patience,
        "faults": [
            {"kind": kind, "target": target, "count": count}
            for (kind, target), count in sorted(_faults(run).items())
        ],
        "skipped": [str(fault) for fault in run.skipped],
        "flows": {
            "begun": traffic.begun,
            "finished": dict(traffic.finished),
            "given_up": dict(traffic.given_up),
        },
        "orders_remembered": len(traffic.memory.purchases),
        "refused": [
            {"status": status, "kind": kind, "count": count}
            for (status, kind), count in sorted(traffic.tally.answers.items())
            if kind != "ok"
        ],
        "unclean": traffic.tally.unclean,
        "recovery_seconds": _recovery_data(run.recoveries),
        "not_recovered": [f"{r.fault}: {r.missing}" for r in run.recoveries if r.missing],
        "lost": run.lost,
        "still_busy": run.busy,
        "doubled_mails_explained": run.doubled_mails_explained,
        "audit": audit_data(run.audit),
    }


def _faults(run: Run) -> Counter[tuple[str, str]]:
    return Counter((fault.kind, fault.target) for fault in run.done)


def _recovery_data(recoveries: list[Recovery]) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "of": group, **_times(members)}
        for kind in KINDS
        for group, members in _groups(kind, recoveries).items()
        if members
    ]


def _groups(kind: str, recoveries: list[Recovery]) -> dict[str, list[Recovery]]:
    """Services together, each server by itself."""
    groups: dict[str, list[Recovery]] = {}
    for recovery in recoveries:
        if recovery.fault.kind == kind and recovery.seconds is not None:
            target = recovery.fault.target
            groups.setdefault("a service" if target in SERVICES else target, []).append(recovery)
    return dict(sorted(groups.items()))


def _times(members: list[Recovery]) -> dict[str, Any]:
    alone = [r.seconds for r in members if r.seconds is not None and not r.disturbed]
    worst = max(r.seconds or 0.0 for r in members)
    return {
        "count": len(members),
        "undisturbed": len(alone),
        "median": round(median(alone), 1) if alone else None,
        "worst": round(max(alone), 1) if alone else None,
        "worst_with_others": round(worst, 1),
    }


def print_run(run: Run, console: Console) -> None:
    rich = Rich(file=console.stream, no_color=not console.colours, width=100)
    rich.print(_fault_table(run))
    rich.print(_refusal_table(run))
    rich.print(_recovery_table(run))
    _show_flows(run, console)
    _show_troubles(run, console)
    show_outcomes(run.audit, console, only_broken=True)
    verdict = "Nothing was lost" if held(run) else "It did NOT hold"
    again = f"--seed {run.plan.seed} --seconds {run.plan.seconds:g} --every {run.plan.every:g}"
    again += f" --buyers {run.plan.buyers} --patience {run.plan.patience:g}"
    colour = GREEN if held(run) else RED
    console.show(console.paint(f"{verdict}; the same again: {again}", colour))


def _fault_table(run: Run) -> Table:
    table = Table("target", *KINDS, title="Faults")
    faults = _faults(run)
    for target in sorted({target for _, target in faults}):
        table.add_row(target, *(str(faults[kind, target] or "") for kind in KINDS))
    return table


def _refusal_table(run: Run) -> Table:
    table = Table("status", "answered as", "requests", title="Requests")
    for (status, kind), count in sorted(run.traffic.tally.answers.items()):
        table.add_row(str(status or "-"), _MEANINGS.get(kind, "success"), str(count))
    return table


def _recovery_table(run: Run) -> Table:
    columns = ("fault", "of", "times", "median s", "worst s", "worst s, with other faults")
    table = Table(*columns, title="Until all checks are ok and an order goes through")
    for row in _recovery_data(run.recoveries):
        cells = (row[name] for name in ("count", "median", "worst", "worst_with_others"))
        texts = ("-" if cell is None else str(cell) for cell in cells)
        table.add_row(row["kind"], row["of"], *texts)
    return table


def _show_flows(run: Run, console: Console) -> None:
    traffic = run.traffic
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(traffic.finished.items()))
    console.show(f"{traffic.begun} flows begun, {traffic.finished.total()} finished ({kinds})")
    for step, count in traffic.given_up.items():
        console.show(console.paint(f"  {count} given up at {step}", YELLOW))
    console.show(f"{len(traffic.memory.purchases)} answered orders looked up again")


def _show_troubles(run: Run, console: Console) -> None:
    skipped = [f"skipped, its target was not up: {fault}" for fault in run.skipped]
    missing = [f"not recovered from: {r.fault}: {r.missing}" for r in run.recoveries if r.missing]
    unclean = [f"not clean: {text}" for text in run.traffic.tally.unclean]
    lost = [f"LOST: {text}" for text in run.lost]
    for text in [*skipped, *missing, *unclean, *lost][:_SHOWN]:
        console.show(console.paint(f"  {text}", YELLOW if text in skipped else RED))
    if run.busy:
        console.show(console.paint(f"  still busy: {run.busy}", RED))
