"""`python scripts/bench.py`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..auditing.audit import Limits, audit
from ..auditing.outcome import Outcome
from ..auditing.quiet import wait_until_quiet
from ..auditing.report import all_hold, show_outcomes
from ..auditing.report import as_data as audit_data
from ..console import Console, ScriptError
from ..stacks import StackAway, Target, docker_target, local_target, running_local_target
from .containers import DockerMeter
from .data import as_data
from .load import Timing
from .report import print_result
from .run import Plan, Result, bench
from .usage import LocalMeter, Meter

AUDIT_WAIT = 30.0
_ABOUT = """\
Measures a stack that is up, through its gateway, and ends with the audit:

  F       the CPU time of one bare request (an empty FastAPI endpoint behind the
          same Traefik), so that figures carry from one machine to another
  steps   product read, cart add, login: requests a second, times, CPU
  flows   cart -> checkout -> payment -> READY_TO_SHIP -> dispatch, at each
          concurrency: a warm-up, three repetitions, medians
  rate    the same flows at a fixed rate of arrivals, half of the best
          throughput; times count from the scheduled arrival

CPU per flow is that of all services and servers from the first flow until all
queues are empty again. An error is never a finished flow. About 4 minutes."""
_WHERE = """\
Without --local and --docker: the local stack when it is up, else Docker's.
Exit code 1: a flow or a rule of the audit failed; 2: no stack answers."""


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="bench.py",
        description=_ABOUT,
        epilog=_WHERE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--quick", action="store_true", help="shorter everywhere: under a minute")
    root.add_argument(
        "--concurrency",
        type=_concurrency,
        default=None,
        metavar="N,N",
        help="customers at once, one run each; default: 1,4,16,32 (--quick: 1,16)",
    )
    root.add_argument(
        "--seconds",
        type=_seconds,
        default=None,
        metavar="S",
        help="of each repetition; default: 6 (--quick: 2)",
    )
    root.add_argument("--json", action="store_true", help="print JSON instead of the tables")
    root.add_argument(
        "--compare",
        type=_earlier,
        default=None,
        metavar="FILE",
        help="an earlier run's --json: shows its figures and now/before beside these",
    )
    where = root.add_mutually_exclusive_group()
    where.add_argument(
        "--local", action="store_true", help="the local stack; started when none is up"
    )
    where.add_argument(
        "--docker", action="store_true", help="Docker's stack; CPU and memory by container"
    )
    return root


def _concurrency(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    numbers = tuple(int(part) for part in parts if part.isdecimal())
    if len(numbers) < len(parts) or not all(1 <= number <= 256 for number in numbers):
        raise argparse.ArgumentTypeError(f"{text} is not a list of numbers from 1 to 256")
    return tuple(sorted(set(numbers)))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 600:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 0.1 to 600")
    return seconds


def _earlier(text: str) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(Path(text).read_text(encoding="utf-8"))
        known = {"figures", "f_ms"} <= data.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise argparse.ArgumentTypeError(f"{text} can't be read: {error}") from None
    if not known:
        raise argparse.ArgumentTypeError(f"{text} is not what bench.py --json printed")
    return data


def plan_of(asked: argparse.Namespace) -> Plan:
    quick = asked.quick
    seconds = asked.seconds or (2.0 if quick else 6.0)
    return Plan(
        concurrency=asked.concurrency or ((1, 16) if quick else (1, 4, 16, 32)),
        timing=Timing(warm_up=seconds / 3, repetitions=3, seconds=seconds),
        open_timing=Timing(warm_up=seconds / 3, repetitions=3, seconds=seconds),
        step_seconds=seconds,
        baseline_rounds=1 if quick else 3,
        baseline_seconds=min(2.0, seconds),
    )


def main(console: Console) -> int:
    asked = _parser().parse_args()
    if asked.json:
        console.use(sys.stderr)
    with ExitStack() as stack:
        return _bench(_target(asked, console, stack), asked, console)


def _target(asked: argparse.Namespace, console: Console, stack: ExitStack) -> Target:
    if asked.local:
        return stack.enter_context(local_target(console))
    found = None if asked.docker or sys.platform == "win32" else running_local_target()
    return found or docker_target()


def _bench(target: Target, asked: argparse.Namespace, console: Console) -> int:
    meter: Meter = LocalMeter(target.info) if target.info else DockerMeter()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        result: Result = runner.run(bench(target, plan_of(asked), meter, console))
    result.start_seconds = target.start_seconds
    data, outcomes = as_data(result), _audit(target, console)
    if asked.json:
        print(json.dumps(_whole(data, outcomes, asked.compare), indent=2))
    else:
        console.show()
        print_result(data, asked.compare)
        show_outcomes(outcomes, console, only_broken=True)
    if failed := sum(error["count"] for error in data["errors"]):
        raise ScriptError(f"{failed} flows or requests failed")
    return 0 if all_hold(outcomes) else 1


def _whole(
    data: Mapping[str, Any], outcomes: Sequence[Outcome], before: Mapping[str, Any] | None
) -> dict[str, Any]:
    from .figures import ratios

    compared = {"ratios": ratios(data["figures"], before["figures"])} if before else {}
    return {**data, **compared, "audit": audit_data(outcomes)}


def _audit(target: Target, console: Console) -> Sequence[Outcome]:
    """Of a stack whose broker can't be reached from here, that is said."""
    try:
        wait_until_quiet(target, console, AUDIT_WAIT)
        return audit(target, console, Limits.read(target))
    except StackAway as away:
        return [Outcome("audit", {}, skipped=str(away))]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return asyncio.SelectorEventLoop  # psycopg can't use the other one
    import uvloop

    return uvloop.new_event_loop
