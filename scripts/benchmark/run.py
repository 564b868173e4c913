"""A whole run: F, single steps, flows at each concurrency, flows at a fixed rate."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from ..console import Console, ScriptError
from ..stacks import HOW_TO_START, Target
from .baseline import Baseline, measure_baseline
from .http import Head
from .load import Load, Progress, Timing, closed_loop, open_loop
from .queues import Drained, Queues
from .readiness import Readiness
from .requests import Burst, hammer
from .samples import Window, median_rate
from .usage import Cpu, LocalMeter, Memory, Meter
from .world import PASSWORD, World, make_world

Database = psycopg.AsyncConnection[tuple[Any, ...]]

READERS, CARTS, LOGINS = 16, 16, 4
PRODUCTS = 32


@dataclass(frozen=True)
class Plan:
    """What is measured, and for how long."""

    concurrency: Sequence[int]
    timing: Timing
    open_timing: Timing
    step_seconds: float
    baseline_rounds: int
    baseline_seconds: float


@dataclass(frozen=True)
class Step:
    """Requests of one kind; seconds of CPU of the stack for all of them, by its parts."""

    name: str
    burst: Burst
    concurrency: int
    cpu: Cpu


@dataclass(frozen=True)
class Phase:
    """Flows under one load. `cpu` is what the stack spent on all `flows`, from the first one until
    its queues were empty again; the client's share of it is without that end."""

    name: str
    concurrency: int
    rate: float | None
    """Flows a second that were to begin, of an open loop."""
    windows: Sequence[Window]
    flows: int
    cpu: Cpu
    client_cpu: float
    drained: Drained
    mail_lag: dict[str, float]

    @property
    def flows_per_second(self) -> float:
        return median_rate(self.windows)

    @property
    def errors(self) -> Counter[tuple[str, int]]:
        return sum((window.errors for window in self.windows), Counter[tuple[str, int]]())


@dataclass
class Result:
    services: tuple[str, ...]
    servers: tuple[str, ...]
    memory_kind: str
    baseline: Baseline | None = None
    start_seconds: float | None = None
    memory_before: Memory = field(default_factory=dict)
    memory_after: Memory = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    """One a concurrency, then the open loop."""


class Bench:
    def __init__(
        self, target: Target, plan: Plan, meter: Meter, console: Console, database: Database
    ) -> None:
        self._target, self._plan, self._meter, self._console = target, plan, meter, console
        self._queues, self._readiness = Queues(database), Readiness(database)
        self._world: World
        self.result = Result(meter.services, meter.servers, meter.memory_kind)

    async def run(self) -> Result:
        result, plan = self.result, self._plan
        result.memory_before = self._meter.memory()
        result.baseline = await measure_baseline(
            plan.baseline_rounds, plan.baseline_seconds, self._console.progress
        )
        self._console.progress(f"making {max(plan.concurrency)} customers and their products")
        self._world = await make_world(
            self._target, customers=max(plan.concurrency), products=PRODUCTS
        )
        await self._queues.mark()
        await self._queues.drain()
        await self._steps()
        for concurrency in plan.concurrency:
            result.phases.append(await self._closed(concurrency))
        best = max(phase.flows_per_second for phase in result.phases)
        if best:
            result.phases.append(await self._open(best / 2))
        result.memory_after = self._meter.memory()
        return result

    async def _steps(self) -> None:
        base, customers = self._target.gateway, self._world.customers
        product = self._world.product_ids
        reads = [Head(base, "GET", f"/catalog/v1/products/{id_}").bare() for id_ in product]
        await self._step("product read", [reads] * READERS, 200)
        shopper = [self._load().shopper(n) for n in range(min(CARTS, len(customers)))]
        adds = []
        for each in shopper:
            headers = await each.customer.headers(each.connection)
            head = Head(base, "POST", "/cart/v1/cart/items", headers)
            adds.append([head.with_body({"product_id": product[0], "qty": 1})])
        await self._step("cart add", adds, 201)
        for each in shopper:
            await each.empty_cart()
            each.connection.close()
        login = Head(base, "POST", "/auth/login")
        bodies = [{"email": each.email, "password": PASSWORD} for each in customers]
        await self._step("login", [[login.with_body(body)] for body in bodies[:LOGINS]], 200)

    async def _step(self, name: str, messages: Sequence[Sequence[bytes]], expect: int) -> None:
        base, seconds = self._target.gateway, self._plan.step_seconds
        self._console.progress(f"{name} at concurrency {len(messages)}")
        await hammer(base, messages, expect=expect, seconds=seconds / 3)
        before = self._meter.cpu()
        burst = await hammer(base, messages, expect=expect, seconds=seconds)
        spent = _difference(self._meter.cpu(), before)
        self.result.steps.append(Step(name, burst, len(messages), spent))

    def _load(self) -> Load:
        return Load(self._world, self._readiness)

    async def _closed(self, concurrency: int) -> Phase:
        load, timing = self._load(), self._plan.timing

        async def drive(progress: Progress) -> list[Window]:
            return await closed_loop(load, concurrency, timing, progress)

        return await self._phase(f"{concurrency} at once", load, drive, concurrency)

    async def _open(self, rate: float) -> Phase:
        load, timing = self._load(), self._plan.open_timing

        async def drive(progress: Progress) -> list[Window]:
            return await open_loop(load, rate, timing, progress)

        name = f"{rate:.1f}/s arrive"
        return await self._phase(name, load, drive, len(self._world.customers), rate)

    async def _phase(
        self,
        name: str,
        load: Load,
        drive: Callable[[Progress], Awaitable[list[Window]]],
        concurrency: int,
        rate: float | None = None,
    ) -> Phase:
        await self._queues.mark()
        before, client = self._meter.cpu(), time.process_time()
        windows = await drive(lambda what: self._console.progress(f"flows, {name}: {what}"))
        client = time.process_time() - client
        self._console.progress(f"flows, {name}: waiting until all queues are empty")
        drained = await self._queues.drain()
        cpu = _difference(self._meter.cpu(), before)
        lag = await self._queues.mail_lag()
        return Phase(name, concurrency, rate, windows, load.flows, cpu, client, drained, lag)


async def bench(target: Target, plan: Plan, meter: Meter, console: Console) -> Result:
    """Raises ScriptError when there is nothing to measure."""
    dsn = target.postgres_dsn.replace("+psycopg", "", 1)
    try:
        connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True, connect_timeout=5)
    except psycopg.Error as error:
        why = str(error).strip().splitlines()[0]
        raise ScriptError(f"The stack's Postgres does not answer ({why}); {HOW_TO_START}") from None
    async with connection:
        if isinstance(meter, LocalMeter):
            meter.leave_out([connection.info.backend_pid])
        return await Bench(target, plan, meter, console, connection).run()


def _difference(after: Cpu, before: Cpu) -> Cpu:
    return {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
