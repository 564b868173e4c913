"""One flow, timed step by step: cart add, checkout, pay, READY_TO_SHIP, dispatch."""

import itertools
import time
from typing import Any

from .http import Connection, Head, parse
from .readiness import Readiness
from .samples import WHOLE
from .world import Account, World

READY_LIMIT = 30.0
ADDRESS = {
    "address_line1": "1 Bench Street",
    "address_line2": "",
    "city": "Dublin",
    "country": "IE",
    "postcode": "D01XYZ",
}


class StepError(Exception):
    """A step did not do what it should; `status` is that of the answer, 0 without one."""

    def __init__(self, step: str, status: int) -> None:
        super().__init__(step, status)
        self.step, self.status = step, status


class Shopper:
    """A customer with a connection of its own, who orders one thing after the other."""

    def __init__(self, world: World, customer: Account, readiness: Readiness) -> None:
        self.world, self.customer = world, customer
        self.connection = Connection(world.target.gateway)
        self._readiness = readiness
        self._products = itertools.cycle(world.product_ids)
        self._tokens = ""
        self._cart: Head
        self._checkout: bytes
        self._pay: Head
        self._admin: dict[str, str]

    async def flow(self, scheduled: float | None = None) -> dict[str, float]:
        """Seconds by step; the whole flow is counted from `scheduled`. Raises StepError, with the
        cart emptied."""
        started = time.perf_counter() if scheduled is None else scheduled
        await self._prepare()
        times: dict[str, float] = {}
        try:
            await self._order(times)
        except StepError:
            await self.empty_cart()
            raise
        times[WHOLE] = time.perf_counter() - started
        return times

    async def empty_cart(self) -> None:
        headers = await self.customer.headers(self.connection)
        await self.connection.request("DELETE", "/cart/v1/cart", None, headers)

    async def _order(self, times: dict[str, float]) -> None:
        item = {"product_id": next(self._products), "qty": 1}
        await self._step(times, "cart add", self._cart.with_body(item), 201)
        order = parse(await self._step(times, "checkout", self._checkout, 201))
        payment = {
            "order_id": order["order_id"],
            "amount_cents": order["total_cents"],
            "currency": order["currency"],
        }
        await self._step(times, "pay", self._pay.with_body(payment), 201)
        paid = time.perf_counter()
        ready = await self._readiness.wait(order["order_id"], READY_LIMIT)
        if ready is None:
            raise StepError("ready", 0)
        shipment_id, seen = ready
        times["ready"] = seen - paid
        path = f"/shipping/v1/shipments/{shipment_id}/dispatch"
        dispatch = Head(self.connection.base, "POST", path, self._admin).bare()
        await self._step(times, "dispatch", dispatch, 200)

    async def _step(self, times: dict[str, float], step: str, message: bytes, expect: int) -> bytes:
        started = time.perf_counter()
        status, body = await self.connection.ask(message)
        if status != expect:
            raise StepError(step, status)
        times[step] = time.perf_counter() - started
        return body

    async def _prepare(self) -> None:
        """The requests that are the same in each flow, made anew when a token was renewed."""
        own = await self.customer.headers(self.connection)
        self._admin = await self.world.admin.headers(self.connection)
        if self._tokens != self.customer.token:
            self._tokens = self.customer.token
            self._cart = self._head("/cart/v1/cart/items", own)
            self._checkout = self._head("/order/v1/orders/checkout", own).with_body(ADDRESS)
            self._pay = self._head("/payment/v1/payments/mock-succeed", own)

    def _head(self, path: str, headers: Any) -> Head:
        return Head(self.connection.base, "POST", path, headers)
