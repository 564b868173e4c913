"""One run: customers shop while the schedule breaks things; then what they remember is checked."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..auditing.outcome import Outcome
from ..console import Console
from ..stacks import Target
from .buyers import PATIENCE, Traffic, go_shopping
from .injector import Injector
from .machine import Machine
from .probe import Probe
from .recovery import Recoveries, Recovery
from .schedule import Fault
from .shop import Opening, Shop

PROBES = 4
_DOUBLED_BY = {
    ("notifications", "kill"): 5,
    ("notifications", "restart"): 1,
    ("smtp", "kill"): 1,
    ("smtp", "freeze"): 1,
    ("smtp", "restart"): 1,
    ("postgres", "kill"): 1,
    ("postgres", "restart"): 1,
}
"""Mails that a fault may double: those that the server took and nobody could mark any more."""


@dataclass(frozen=True)
class Plan:
    seed: int
    seconds: float
    every: float
    buyers: int
    faults: Sequence[Fault]
    patience: float = PATIENCE


@dataclass
class Run:
    """`lost` are answers that do not hold, `busy` what was still on its way at the end."""

    plan: Plan
    traffic: Traffic
    done: list[Fault] = field(default_factory=list)
    skipped: list[Fault] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    busy: str = ""
    audit: Sequence[Outcome] = ()

    @property
    def doubled_mails_explained(self) -> int:
        return sum(_DOUBLED_BY.get((fault.target, fault.kind), 0) for fault in self.done)


async def open_shop(target: Target, plan: Plan) -> Shop:
    scarce = max(3, int(plan.seconds / 10))
    return await Opening(target).open(customers=plan.buyers + PROBES, scarce=scarce)


async def break_it(shop: Shop, machine: Machine, plan: Plan, console: Console) -> Run:
    run = Run(plan, Traffic())
    probers, shop.customers = shop.customers[:PROBES], shop.customers[PROBES:]
    probes = [Probe(shop, account, plan.patience) for account in probers]
    recoveries = Recoveries(probes)
    started = time.monotonic()

    def goes_on() -> bool:
        return time.monotonic() - started < plan.seconds

    def progress(fault: str) -> None:
        finished, begun = run.traffic.finished.total(), run.traffic.begun
        console.progress(
            f"{time.monotonic() - started:.0f} of {plan.seconds:.0f} s, "
            f"{finished} of {begun} flows finished: {fault}"
        )

    injector = Injector(machine, recoveries, progress)
    async with asyncio.timeout(plan.seconds + 3 * plan.patience), asyncio.TaskGroup() as group:
        shopping = go_shopping(
            shop, run.traffic, seed=plan.seed, goes_on=goes_on, patience=plan.patience
        )
        group.create_task(shopping)
        group.create_task(injector.run(plan.faults))
    for probe in probes:
        await probe.aclose()
    run.done, run.skipped, run.recoveries = injector.done, injector.skipped, recoveries.all
    return run
