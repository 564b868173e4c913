"""One flow, timed step by step: cart add, checkout, pay, READY_TO_SHIP, dispatch."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from .http import Connection
from .recorder import WHOLE, Pace, Recorder
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

    def __init__(self, world: World, customer: Account, recorder: Recorder, pace: Pace) -> None:
        self.world, self.customer = world, customer
        self.recorder, self.pace = recorder, pace
        self.connection = Connection(world.target.gateway)

    async def flow(self, product_id: int) -> None:
        started = time.perf_counter()
        try:
            order_id = await self._order(product_id)
        except StepError as failure:
            self.recorder.errors[failure.step, failure.status] += 1
            headers = await self.customer.headers(self.connection)
            await self.connection.request("DELETE", "/cart/v1/cart", None, headers)
            return
        self.recorder.seconds[WHOLE].append(time.perf_counter() - started)
        self.recorder.order_ids.append(order_id)

    async def _order(self, product_id: int) -> int:
        item = {"product_id": product_id, "qty": 1}
        await self._step("cart add", "/cart/v1/cart/items", item, 201)
        order = await self._step("checkout", "/order/v1/orders/checkout", ADDRESS, 201)
        payment = {
            "order_id": order["order_id"],
            "amount_cents": order["total_cents"],
            "currency": order["currency"],
        }
        await self._step("pay", "/payment/v1/payments/mock-succeed", payment, 201)
        shipment_id = await self._ready(order["order_id"])
        path = f"/shipping/v1/shipments/{shipment_id}/dispatch"
        await self._step("dispatch", path, None, 200, account=self.world.admin)
        return int(order["order_id"])

    async def _step(
        self, step: str, path: str, body: Any, expect: int, *, account: Account | None = None
    ) -> Any:
        headers = await (account or self.customer).headers(self.connection)
        started = time.perf_counter()
        status, answer = await self.connection.request("POST", path, body, headers)
        if status != expect:
            raise StepError(step, status)
        self.recorder.seconds[step].append(time.perf_counter() - started)
        return answer

    async def _ready(self, order_id: int) -> int:
        """The id of the order's shipment, once it is READY_TO_SHIP."""
        paid = time.perf_counter()
        pause = self.pace.first
        while time.perf_counter() - paid < READY_LIMIT:
            await asyncio.sleep(pause)
            pause = self.pace.next(time.perf_counter() - paid)
            if shipment_id := await self._ready_shipment(order_id):
                lag = time.perf_counter() - paid
                self.recorder.seconds["ready"].append(lag)
                return shipment_id
        raise StepError("ready", 0)

    async def _ready_shipment(self, order_id: int) -> int | None:
        headers = await self.customer.headers(self.connection)
        path = f"/shipping/v1/shipments?order_id={order_id}"
        status, found = await self.connection.request("GET", path, None, headers)
        self.recorder.polls += 1
        if status != 200:
            raise StepError("ready", status)
        return next((int(s["id"]) for s in found if s["status"] == "READY_TO_SHIP"), None)


async def run_flows(
    world: World, flows: int, recorder: Recorder, pace: Pace, progress: Callable[[int], None]
) -> None:
    """`flows` flows, as many at once as there are customers; products take turns."""
    numbers = iter(range(flows))

    async def work(customer: Account) -> None:
        shopper = Shopper(world, customer, recorder, pace)
        for number in numbers:
            await shopper.flow(world.product_ids[number % len(world.product_ids)])
            progress(number + 1)
        shopper.connection.close()

    recorder.started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for customer in world.customers:
            group.create_task(work(customer))
    recorder.ended = time.perf_counter()
