"""What customers do: a seeded mix."""

from collections.abc import Awaitable, Callable

from .shop import Shop
from .steps import Steps, together


class Flows:
    def __init__(self, steps: Steps, shop: Shop) -> None:
        self._steps, self._shop = steps, shop

    async def one(self) -> str:
        """Takes one of the flows to its end, and says which."""
        flow = self._steps.rng.choices(
            list(FLOWS), weights=[weight for weight, _ in FLOWS.values()]
        )
        await FLOWS[flow[0]][1](self)
        return flow[0]

    async def receive(self) -> None:
        await self._fill(self._shop.plenty)
        await self._pay_and_receive()

    async def fail_then_pay(self) -> None:
        await self._fill(self._shop.plenty)
        await self._pay_and_receive(failures=self._steps.rng.randint(1, 2))

    async def scarce(self) -> None:
        await self._fill(self._shop.scarce)
        await self._pay_and_receive()

    async def cancel_unpaid(self) -> None:
        await self._fill(self._shop.plenty)
        if purchase := await self._steps.check_out():
            await self._steps.cancel(purchase)

    async def cancel_paid(self) -> None:
        await self._fill(self._shop.plenty)
        if purchase := await self._steps.check_out():
            await self._steps.pay(purchase)
            await self._steps.cancel(purchase)

    async def cancel_while_paying(self) -> None:
        await self._fill(self._shop.plenty)
        if purchase := await self._steps.check_out():
            purchase.tried.add("cancel")
            await together(self._steps.pay(purchase), self._steps.cancel(purchase))

    async def _fill(self, products: list[int]) -> None:
        rng = self._steps.rng
        await self._steps.fill_cart(rng.choice(products), rng.randint(1, 3))

    async def _pay_and_receive(self, failures: int = 0) -> None:
        purchase = await self._steps.check_out()
        if purchase is None:
            return
        for _ in range(failures):
            await self._steps.pay(purchase, "mock-fail")
        await self._steps.pay(purchase)
        shipment_id = await self._steps.wait_until_ready(purchase)
        await self._steps.dispatch(purchase, shipment_id)


FLOWS: dict[str, tuple[int, Callable[[Flows], Awaitable[None]]]] = {
    "receive": (40, Flows.receive),
    "fail, then pay": (15, Flows.fail_then_pay),
    "scarce": (15, Flows.scarce),
    "cancel unpaid": (10, Flows.cancel_unpaid),
    "cancel paid": (12, Flows.cancel_paid),
    "cancel while paying": (8, Flows.cancel_while_paying),
}
