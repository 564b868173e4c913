"""Orders that only Shipping hears of, and what the tests ask of Shipping."""

from dataclasses import dataclass, field
from random import randrange
from typing import Any
from uuid import uuid4

import httpx

from libs.events import Address, EventData, OrderCancelled, OrderCreated, PaymentSucceeded
from tests.support.database import Query
from tests.support.kafka import Publisher
from tests.support.market import ADDRESS, Market
from tests.support.people import Customer
from tests.support.waiting import eventually

Json = dict[str, Any]
SHIPMENTS = "/shipping/v1/shipments"


@dataclass
class MadeUp:
    """An order that only Shipping hears of."""

    buyer: Customer
    id: int = field(default_factory=lambda: randrange(10**9, 10**12))

    @property
    def who(self) -> Json:
        return {"order_id": self.id, "user_id": self.buyer.id, "email": self.buyer.email}

    def created(self, **address: str) -> OrderCreated:
        return OrderCreated(
            **self.who,
            total_cents=5,
            currency="USD",
            reservation_id=uuid4(),
            items=[],
            address=Address(**{**ADDRESS, **address}),
        )

    def paid(self) -> PaymentSucceeded:
        return PaymentSucceeded(**self.who, payment_id=1, amount_cents=5, currency="USD")

    def cancelled(self) -> OrderCancelled:
        return OrderCancelled(**self.who, reservation_id=uuid4(), items=[], reason="test")


@dataclass
class Shipping:
    market: Market
    customer: Customer
    url: str
    publish: Publisher
    query: Query

    def order(self) -> MadeUp:
        return MadeUp(self.customer)

    async def of(self, order: MadeUp) -> Json | None:
        found: list[Json] = (await order.buyer.get(f"{SHIPMENTS}?order_id={order.id}")).json()
        return found[0] if found else None

    async def wait_for(self, order: MadeUp, status: str) -> Json:
        async def reached() -> Json | None:
            shipment = await self.of(order)
            return shipment if shipment and shipment["status"] == status else None

        return await eventually(reached, what=f"shipment {status}")

    async def take(self, *facts: EventData) -> None:
        """Each fact twice as one event and once more as another, all taken before the next."""
        for fact in facts:
            await self.publish.event(fact, times=2)
            last = await self.publish.event(fact)

            async def taken(event_id: Any = last) -> list[Any]:
                claimed = "SELECT 1 FROM shipping.inbox WHERE event_id = %s"
                return await self.query(claimed, event_id)

            await eventually(taken, what=f"{fact.type} taken")

    async def make_ready(self, order: MadeUp) -> Json:
        await self.draft(order)
        await self.publish.event(order.paid())
        return await self.wait_for(order, "READY_TO_SHIP")

    async def draft(self, order: MadeUp, **address: str) -> httpx.Response:
        return await self.post("", {**order.who, "address": {**ADDRESS, **address}})

    async def cancel(self, order: MadeUp) -> httpx.Response:
        return await self.post("/cancel", {**order.who, "reason": "test"})

    async def post(self, path: str, body: Any) -> httpx.Response:
        headers = self.market.internal_key
        url = f"{self.url}/internal/shipments{path}"
        return await self.market.api.post(url, json=body, headers=headers)
