"""The audit's result, as lines and as data."""

from collections.abc import Sequence
from typing import Any

from ..console import GREEN, RED, YELLOW, Console
from .outcome import SHOWN, Outcome

_WIDTH = 50


def show_outcomes(
    outcomes: Sequence[Outcome], console: Console, *, only_broken: bool = False
) -> None:
    for outcome in outcomes:
        if only_broken and outcome.ok and not outcome.skipped:
            continue
        console.show(_line(outcome, console))
        for breach in outcome.breaches[:SHOWN]:
            console.show(f"          {breach}")
        if outcome.more:
            console.show(f"          ... and {outcome.more} more")
    console.show(console.paint(summary(outcomes), GREEN if proven(outcomes) else RED))


def all_hold(outcomes: Sequence[Outcome]) -> bool:
    return all(outcome.ok for outcome in outcomes)


def proven(outcomes: Sequence[Outcome]) -> bool:
    """All hold, and each was looked at."""
    return all(outcome.ok and not outcome.skipped for outcome in outcomes)


def summary(outcomes: Sequence[Outcome]) -> str:
    looked_at = [outcome for outcome in outcomes if not outcome.skipped]
    broken = [outcome for outcome in looked_at if not outcome.ok]
    skipped = len(outcomes) - len(looked_at)
    ending = f", {skipped} not checked." if skipped else "."
    if not looked_at:
        return "Audit: not possible."
    if not broken:
        return f"Audit: all {len(looked_at)} rules hold{ending}"
    breaches = sum(len(outcome.breaches) for outcome in broken)
    return f"Audit: {len(broken)} of {len(looked_at)} rules are broken, {breaches} breaches{ending}"


def as_data(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {"ok": proven(outcomes), "rules": [outcome.data() for outcome in outcomes]}


def _line(outcome: Outcome, console: Console) -> str:
    if outcome.skipped:
        verdict = console.paint("UNKNOWN", YELLOW)
        return f"{verdict}   {outcome.rule:{_WIDTH}}  not checked: {outcome.skipped}"
    numbers = ", ".join(
        f"{value} {name.replace('_', ' ')}" for name, value in outcome.numbers.items()
    )
    verdict = console.paint("ok     ", GREEN) if outcome.ok else console.paint("BREACH ", RED)
    return f"{verdict}   {outcome.rule:{_WIDTH}}  {numbers}"
