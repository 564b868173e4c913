"""When a run of chaos.py counts as held: something was broken, customers bought, all is well."""

from collections.abc import Callable

import pytest

from scripts.auditing.outcome import Outcome
from scripts.havoc.buyers import Traffic
from scripts.havoc.recovery import Recovery
from scripts.havoc.report import held
from scripts.havoc.run import Plan, Run
from scripts.havoc.schedule import Fault

FAULT = Fault(1.0, "kill", "order")


def _make_run() -> Run:
    run = Run(Plan(1, 60, 5, 3, [FAULT]), Traffic(), done=[FAULT])
    run.recoveries.append(Recovery(FAULT, seconds=1.0))
    run.traffic.finished["receive"] += 1
    run.audit = [Outcome("a rule", {})]
    return run


def _break_rule(run: Run) -> None:
    run.audit = [Outcome("a rule", {}, breaches=["a row"])]


def _skip_rule(run: Run) -> None:
    run.audit = [Outcome("a rule", {}, skipped="no answer")]


SPOILT: dict[str, Callable[[Run], object]] = {
    "no fault": lambda run: run.done.clear(),
    "no flow": lambda run: run.traffic.finished.clear(),
    "not recovered": lambda run: run.recoveries.append(Recovery(FAULT)),
    "an unclean refusal": lambda run: run.traffic.tally.unclean.append("GET / answered 500"),
    "a lost answer": lambda run: run.lost.append("order 1"),
    "not quiet": lambda run: setattr(run, "busy", "1 event waits"),
    "a breach": _break_rule,
    "a rule that was not looked at": _skip_rule,
}


def test_a_run_in_which_all_went_well_held() -> None:
    assert held(_make_run())


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_it_did_not_hold_with(spoil: Callable[[Run], object]) -> None:
    run = _make_run()
    spoil(run)
    assert not held(run)
