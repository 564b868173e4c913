"""`python scripts/bench.py`."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence

from ..auditing.audit import Limits, audit
from ..auditing.outcome import Outcome
from ..auditing.quiet import wait_until_quiet
from ..auditing.report import all_hold, as_data, show_outcomes
from ..console import Console, ScriptError
from ..stacks import (
    DOCKER_GATEWAY,
    StackAway,
    Target,
    docker_target,
    local_target,
    running_local_target,
    web_address,
)
from .drain import drain
from .flow import run_flows
from .recorder import Pace, Recorder
from .report import Result, print_result
from .usage import Usage, measure
from .world import World, make_world

AUDIT_WAIT = 30.0


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="bench.py",
        description="Orders from cart to doorstep: flows a second, times, CPU and memory.",
        epilog="Without --local and --base: the local stack when it is up, else Docker's.",
    )
    root.add_argument("--flows", type=_count, default=300, metavar="N", help="default: 300")
    root.add_argument(
        "--concurrency", type=_count, default=8, metavar="C", help="customers at once; default: 8"
    )
    root.add_argument("--json", action="store_true", help="print JSON instead of the table")
    where = root.add_mutually_exclusive_group()
    where.add_argument(
        "--local", action="store_true", help="the local stack; started when none is up"
    )
    where.add_argument(
        "--base", type=web_address, metavar="URL", help=f"a gateway, such as {DOCKER_GATEWAY}"
    )
    return root


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 1000000")
    return number


def main(console: Console) -> int:
    asked = _parser().parse_args()
    if asked.json:
        console.use(sys.stderr)
    if asked.local:
        with local_target(console) as target:
            return _bench(target, asked, console)
    found = None if asked.base or sys.platform == "win32" else running_local_target()
    return _bench(found or docker_target(asked.base), asked, console)


def _bench(target: Target, asked: argparse.Namespace, console: Console) -> int:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        result = runner.run(bench(target, asked.flows, asked.concurrency, console))
    outcomes = _audit(target, console)
    if asked.json:
        print(json.dumps({**result.data(), "audit": as_data(outcomes)}, indent=2))
    else:
        console.show("")
        print_result(result)
        show_outcomes(outcomes, console, only_broken=True)
    if result.recorder.errors:
        count = result.recorder.errors.total()
        raise ScriptError(f"{count} of {asked.flows} flows did not finish")
    return 0 if all_hold(outcomes) else 1


def _audit(target: Target, console: Console) -> Sequence[Outcome]:
    """Of a stack whose databases and broker can't be reached from here, that is said."""
    try:
        wait_until_quiet(target, console, AUDIT_WAIT)
        return audit(target, console, Limits.read(target))
    except StackAway as away:
        return [Outcome("audit", {}, skipped=str(away))]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def bench(target: Target, flows: int, concurrency: int, console: Console) -> Result:
    customers, warm_up = min(concurrency, flows), max(20, 2 * concurrency)
    console.progress(f"making {customers} customers and their products")
    products = max(20, 2 * concurrency)
    world = await make_world(
        target, customers=customers, products=products, stock=flows + warm_up + 1
    )
    pace, warm = Pace(), Recorder()
    await _run(world, warm_up, warm, pace, console, "warming up")
    await drain(target.postgres_dsn, warm.order_ids, console)
    before, started = _usage(target), time.monotonic()
    recorder = Recorder()
    await _run(world, flows, recorder, pace, console, "measuring")
    drained, left = await drain(target.postgres_dsn, recorder.order_ids, console)
    after, seconds = _usage(target), time.monotonic() - started
    info = target.info or {"services": {}, "servers": {}}
    return Result(
        recorder=recorder,
        concurrency=customers,
        drained_seconds=drained,
        undrained=left,
        before=before,
        after=after,
        services=tuple(info["services"]),
        servers=tuple(info["servers"]),
        seconds_of_usage=seconds,
    )


async def _run(
    world: World, flows: int, recorder: Recorder, pace: Pace, console: Console, what: str
) -> None:
    def progress(begun: int) -> None:
        errors = recorder.errors.total()
        trouble = f", {errors} failed" if errors else ""
        console.progress(f"{what}: flow {begun} of {flows}{trouble}")

    await run_flows(world, flows, recorder, pace, progress)


def _usage(target: Target) -> Usage | None:
    return measure(target.info) if target.info else None
