"""`python scripts/chaos.py`."""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..auditing.audit import Limits, audit
from ..auditing.quiet import wait_until_quiet
from ..console import Console
from ..stacks import Target, local_target, running_local_target
from .containers import Containers
from .machine import Machine
from .report import as_data, held, print_run
from .run import Plan, Run, break_it, open_shop
from .schedule import make_schedule
from .verify import find_lost

EPILOG = """Without --local and --docker: the local stack when it is up, else Docker's. Exit code
1: a rule of the audit is broken, an answer was lost, something did not recover, or a refusal was
not clean; 2: no stack answers."""


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="chaos.py",
        description="Customers shop while services and servers are killed, frozen and restarted; "
        "then everything heals, what customers were answered is checked, and the audit runs.",
        epilog=EPILOG,
    )
    root.add_argument(
        "--seconds", type=_within(10, 3600), default=60, help="10 to 3600; default 60"
    )
    root.add_argument("--every", type=_within(1, 600), default=5, help="between faults; default 5")
    root.add_argument("--buyers", type=_within(1, 64), default=6, help="at once; default 6")
    root.add_argument("--seed", type=_within(0, 2**31), help="repeats a schedule; default: random")
    root.add_argument(
        "--patience",
        type=_within(10, 600),
        default=60,
        help="for a flow, and for a recovery; default 60 s",
    )
    root.add_argument("--wait", type=_within(1, 600), default=60, help="for quiet; default 60 s")
    root.add_argument("--json", action="store_true", help="print JSON instead of the table")
    where = root.add_mutually_exclusive_group()
    where.add_argument(
        "--local", action="store_true", help="the local stack; started when none is up"
    )
    where.add_argument("--docker", action="store_true", help="Docker's stack")
    root.add_argument(
        "--project", default="ecommerce", metavar="NAME", help="Docker's; default: ecommerce"
    )
    return root


def _within(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text} is not a number from {least} to {most}")
        return int(text)

    return number


def main(console: Console) -> int:
    asked = _parser().parse_args()
    if asked.json:
        console.use(sys.stderr)
    with _stack(asked, console) as (target, machine):
        run = _run(asked, target, machine, console)
    if asked.json:
        print(json.dumps(as_data(run), indent=2))
    else:
        console.show()
        print_run(run, console)
    return 0 if held(run) else 1


@contextmanager
def _stack(asked: argparse.Namespace, console: Console) -> Iterator[tuple[Target, Machine]]:
    on_docker = asked.docker or sys.platform == "win32"
    if on_docker or not (asked.local or running_local_target()):
        containers = Containers(asked.project)
        yield containers.target(), containers
        return
    from ..localstack import default_folder
    from .processes import LocalProcesses

    with local_target(console) as target:
        yield target, LocalProcesses(default_folder())


def _run(asked: argparse.Namespace, target: Target, machine: Machine, console: Console) -> Run:
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    faults = make_schedule(seed, seconds=asked.seconds, every=asked.every, targets=machine.targets)
    plan = Plan(seed, asked.seconds, asked.every, asked.buyers, faults, asked.patience)
    console.show(f"Seed {seed}: {len(faults)} faults within {asked.seconds} s at {target.gateway}")
    shop = asyncio.run(open_shop(target, plan))
    try:
        run = asyncio.run(break_it(shop, machine, plan, console))
    finally:
        machine.thaw_all()
    run.busy = wait_until_quiet(target, console, asked.wait)
    memory = run.traffic.memory
    run.lost = memory.broken + asyncio.run(
        find_lost(shop, memory, lambda left: console.progress(f"checking what was said: {left}"))
    )
    run.audit = audit(target, console, Limits.read(target, run.doubled_mails_explained))
    return run
