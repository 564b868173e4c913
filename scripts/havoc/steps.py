"""The steps of a flow, each taken by one of the ways in which clients take it."""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from .calls import Answer
from .client import BrokenPromise, Client
from .memory import Memory, Purchase
from .shop import Account

ADDRESS = {
    "address_line1": "1 Chaos Street",
    "address_line2": "",
    "city": "Dublin",
    "country": "IE",
    "postcode": "D01XYZ",
}
SOLD_OUT = {"insufficient_stock"}
_CHECKOUT, _PAYMENTS = "/order/v1/orders/checkout", "/payment/v1/payments"
_DROP_AFTER = (0.002, 0.15)

ResultT = TypeVar("ResultT")
Send = Callable[[str, float | None], Awaitable[Answer]]
"""Sends a request under a key: for so many seconds, or (None) until an answer counts."""


class Steps:
    def __init__(self, client: Client, memory: Memory, admin: Account) -> None:
        self.client, self.memory, self.admin = client, memory, admin
        self._late_add_possible = False

    @property
    def rng(self) -> random.Random:
        return self.client.rng

    async def fill_cart(self, product_id: int, qty: int) -> None:
        """With just this: a cart add is no request to repeat, so the cart is emptied first."""
        body = {"product_id": product_id, "qty": qty}
        self._late_add_possible = False
        while True:
            await self.client.expect("DELETE", "/cart/v1/cart")
            answer = await self.client.ask("POST", "/cart/v1/cart/items", body)
            if answer.ok:
                return
            if answer.final:
                raise BrokenPromise(f"cart add answered {answer.status} {answer.code}")
            self._late_add_possible = True
            await self.client.pause(answer.retry_after, "cart add")

    async def check_out(self) -> Purchase | None:
        """None when it is sold out."""

        async def send(key: str, limit: float | None) -> Answer:
            answer = await self._send(_CHECKOUT, ADDRESS, key, limit)
            if answer.ok:
                self.memory.ordered(self.client.account, answer.body)
            elif answer.final and answer.code not in SOLD_OUT | {"cart_empty"}:
                raise BrokenPromise(f"checkout answered {answer.status} {answer.code}")
            return answer

        answers = await self._in_some_way(send)
        orders = {int(answer.body["order_id"]) for answer in answers if answer.ok}
        if len(orders) > 1 and not self._late_add_possible:
            raise BrokenPromise(f"one cart became orders {sorted(orders)}")
        if orders:
            return self.memory.purchases[orders.pop()]
        if not {answer.code for answer in answers} & SOLD_OUT:
            raise BrokenPromise("a full cart was answered cart_empty")
        return None

    async def pay(self, purchase: Purchase, how: str = "mock-succeed") -> bool:
        """False when the order was cancelled before."""
        purchase.tried.add(how)

        async def send(key: str, limit: float | None) -> Answer:
            answer = await self._send(f"{_PAYMENTS}/{how}", purchase.payment, key, limit)
            if answer.ok:
                self.memory.paid(purchase, answer.body)
            elif answer.final and answer.code not in ("order_cancelled", "order_already_paid"):
                raise BrokenPromise(
                    f"payment of order {purchase.order_id}: {answer.status} {answer.code}"
                )
            return answer

        answers = await self._in_some_way(send)
        if any(answer.ok for answer in answers):
            return True
        if {answer.code for answer in answers} != {"order_cancelled"}:
            raise BrokenPromise(f"order {purchase.order_id} is said to be paid; by whom?")
        return False

    async def cancel(self, purchase: Purchase) -> None:
        """Cancelled already is as good: a cancellation whose answer was lost."""
        purchase.tried.add("cancel")
        order = f"/order/v1/orders/{purchase.order_id}"
        answer = await self.client.insist("POST", f"{order}/cancel", key=self._key())
        if answer.ok:
            purchase.cancelled = True
        elif (await self.client.expect("GET", order))["status"] != "CANCELLED":
            raise BrokenPromise(f"order {purchase.order_id}: can't be cancelled ({answer.code})")

    async def wait_until_ready(self, purchase: Purchase) -> int:
        """The id of its shipment."""
        while (shipment := await self._shipment(purchase))["status"] == "PENDING_PAYMENT":
            await self.client.pause(0.3, "ready to ship")
        return int(shipment["id"])

    async def dispatch(self, purchase: Purchase, shipment_id: int) -> None:
        """Dispatched already is as good: a dispatch whose answer was lost."""
        purchase.tried.add("dispatch")
        path = f"/shipping/v1/shipments/{shipment_id}/dispatch"
        answer = await self.client.insist("POST", path, account=self.admin)
        if answer.ok:
            purchase.tracking_number = str(answer.body["tracking_number"])
        elif (await self._shipment(purchase))["status"] != "DISPATCHED":
            raise BrokenPromise(f"shipment {shipment_id}: dispatch answered {answer.code}")

    async def _shipment(self, purchase: Purchase) -> dict[str, Any]:
        """A draft may come a moment after its order."""
        path = f"/shipping/v1/shipments?order_id={purchase.order_id}"
        found = await self.client.expect("GET", path)
        return dict(found[0]) if found else {"status": "PENDING_PAYMENT"}

    async def _send(self, path: str, body: object, key: str, limit: float | None) -> Answer:
        if limit is not None:
            return await self.client.ask("POST", path, body, key=key, limit=limit)
        return await self.client.insist("POST", path, body, key=key)

    async def _in_some_way(self, send: Send) -> list[Answer]:
        ways = (self._once, self._twice, self._again, self._dropped, self._two_tabs)
        return await self.rng.choices(ways, weights=(4, 2, 1, 2, 1))[0](send)

    async def _once(self, send: Send) -> list[Answer]:
        return [await send(self._key(), None)]

    async def _twice(self, send: Send) -> list[Answer]:
        """The same request twice at once: an impatient client."""
        key = self._key()
        return _same(await together(send(key, None), send(key, None)))

    async def _again(self, send: Send) -> list[Answer]:
        key = self._key()
        return _same([await send(key, None), await send(key, None)])

    async def _dropped(self, send: Send) -> list[Answer]:
        """A client that hangs up before the answer, and asks again."""
        key = self._key()
        early = await send(key, self.rng.uniform(*_DROP_AFTER))
        answer = await send(key, None)
        return _same([early, answer]) if early.ok else [answer]

    async def _two_tabs(self, send: Send) -> list[Answer]:
        return await together(send(self._key(), None), send(self._key(), None))

    def _key(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128)))


def _same(answers: Sequence[Answer]) -> list[Answer]:
    """One key, one answer, if it is a success."""
    bodies = [answer.body for answer in answers if answer.ok]
    if any(body != bodies[0] for body in bodies):
        raise BrokenPromise(f"one Idempotency-Key, two answers: {bodies}")
    return list(answers)


async def together(*calls: Awaitable[ResultT]) -> list[ResultT]:
    """All of them to their end; then the first failure, if any."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
