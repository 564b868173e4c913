"""Whether the stack serves: every health check is ok, and a new order goes all the way."""

import asyncio
import random
import time
from typing import Any

from .calls import Caller, Tally
from .client import Client
from .machine import SERVICES
from .memory import Memory
from .shop import Account, Shop
from .steps import Steps

_PAUSE = 0.1
_CALL_LIMIT = 3.0
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


class Probe:
    """One customer who orders when asked to; nobody else uses it meanwhile."""

    def __init__(self, shop: Shop, account: Account, patience: float) -> None:
        self._shop, self._patience = shop, patience
        self._caller = Caller(shop.target.gateway, Tally())
        rng = random.Random(account.email)
        self._client = Client(self._caller, account, rng, longest_pause=_PAUSE, limit=_CALL_LIMIT)
        self._steps = Steps(self._client, Memory(), shop.admin)

    async def wait_until_served(self, target: str) -> None:
        """Raises GaveUp when patience ends, or BrokenPromise."""
        self._client.deadline = time.monotonic() + self._patience
        services = (target,) if target in SERVICES else SERVICES
        await asyncio.gather(*(self._wait_until_healthy(name) for name in services))
        if target == "objects":
            await self._store_an_image()
        await self._order()

    async def _wait_until_healthy(self, service: str) -> None:
        while not await self._is_healthy(service):
            await self._client.pause(_PAUSE, f"{service} healthy")

    async def _is_healthy(self, service: str) -> bool:
        answer = await self._client.ask("GET", f"/{service}/health")
        checks: dict[str, Any] = answer.body["checks"] if answer.ok else {"": "no answer"}
        return all(said == "ok" for said in checks.values())

    async def _store_an_image(self) -> None:
        path = f"/catalog/v1/products/{self._shop.plenty[0]}/image"
        while not await self._caller.put(path, _PIXEL, self._shop.admin.headers, _CALL_LIMIT):
            await self._client.pause(_PAUSE, "image stored")

    async def _order(self) -> None:
        """Until its shipment is ready and the customer has a mail about it."""
        await self._steps.fill_cart(self._shop.plenty[0], 1)
        purchase = await self._steps.check_out()
        assert purchase is not None, "there is plenty of it"
        await self._steps.pay(purchase)
        await self._steps.wait_until_ready(purchase)
        while not await self._has_mail(purchase.order_id):
            await self._client.pause(_PAUSE, "mail sent")

    async def _has_mail(self, order_id: int) -> bool:
        listing = await self._client.expect("GET", "/notifications/v1/notifications?limit=20")
        mails = [mail for mail in listing["items"] if mail["order_id"] == order_id]
        return any(mail["status"] == "SENT" for mail in mails)

    async def aclose(self) -> None:
        await self._caller.aclose()
