"""Customers who shop, one flow after the other, until it is time to go home."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .calls import Caller, Tally
from .client import BrokenPromise, Client, GaveUp
from .flows import Flows
from .memory import Memory
from .shop import Account, Shop
from .steps import Steps

PATIENCE = 60.0
"""Seconds that a flow may take, and a recovery."""
_REST = (0.05, 0.5)
_LOGINS = 0.05


@dataclass
class Traffic:
    """What came of all flows; `given_up` counts the steps at which it happened."""

    tally: Tally = field(default_factory=Tally)
    memory: Memory = field(default_factory=Memory)
    begun: int = 0
    finished: Counter[str] = field(default_factory=Counter)
    given_up: Counter[str] = field(default_factory=Counter)


class Buyer:
    def __init__(
        self, number: int, seed: int, shop: Shop, traffic: Traffic, patience: float
    ) -> None:
        rng = random.Random(f"buyer {number} {seed}")
        self._traffic, self._shop, self._patience = traffic, shop, patience
        self._client = Client(
            Caller(shop.target.gateway, traffic.tally), shop.customers[number], rng
        )
        self._flows = Flows(Steps(self._client, traffic.memory, shop.admin), shop)

    async def shop(self, goes_on: Callable[[], bool]) -> None:
        try:
            while goes_on():
                self._traffic.begun += 1
                self._client.deadline = time.monotonic() + self._patience
                await self._flow()
                await asyncio.sleep(self._client.rng.uniform(*_REST))
        finally:
            await self._client.caller.aclose()

    async def _flow(self) -> None:
        try:
            for account in (self._client.account, self._shop.admin):
                if self._is_to_log_in(account):
                    await self._client.log_in(account)
            self._traffic.finished[await self._flows.one()] += 1
        except GaveUp as step:
            self._traffic.given_up[str(step)] += 1
        except BrokenPromise as broken:
            self._traffic.memory.broken.append(str(broken))

    def _is_to_log_in(self, account: Account) -> bool:
        return account.is_due or self._client.rng.random() < _LOGINS


async def go_shopping(
    shop: Shop,
    traffic: Traffic,
    *,
    seed: int,
    goes_on: Callable[[], bool],
    patience: float = PATIENCE,
) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(len(shop.customers)):
            group.create_task(Buyer(number, seed, shop, traffic, patience).shop(goes_on))
