"""Catalog as its callers see it: the public through the gateway, services with the internal key."""

import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from libs.config import ServiceSettings
from libs.events import EventData, OrderCancelled, OrderCreated, OrderLine, OrderPaid
from libs.security import Principal, Role, create_access_token

PNG = b"\x89PNG\r\n\x1a\n"


class Shop:
    """Clients of the Catalog service, and the calls that many tests begin with."""

    def __init__(
        self,
        *,
        anyone: httpx.AsyncClient,
        admin: httpx.AsyncClient,
        customer: httpx.AsyncClient,
        internal: httpx.AsyncClient,
    ) -> None:
        self.anyone = anyone
        self.admin = admin
        self.customer = customer
        self.internal = internal

    async def make_product(self, *, stock: int = 0, **fields: Any) -> dict[str, Any]:
        response = await self.admin.post("/v1/products/", json=product_body(**fields))
        assert response.status_code == 201, response.text
        product: dict[str, Any] = response.json()
        if stock:
            await self.restock({product["id"]: stock})
        return product

    async def make_ids(self, *stocks: int) -> list[int]:
        """Ids of new products with so much in stock."""
        return [(await self.make_product(stock=stock))["id"] for stock in stocks]

    async def restock(self, quantities: Mapping[int, int]) -> dict[str, Any]:
        response = await self.admin.post(
            "/v1/inventory/restock", json={"items": lines(quantities)}, headers=self.key
        )
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def stock(self, product_id: int) -> tuple[int, int]:
        """(in_stock, reserved)"""
        response = await self.anyone.get(f"/v1/inventory/{product_id}")
        assert response.status_code == 200, response.text
        level = response.json()
        assert level["available"] == level["in_stock"] - level["reserved"]
        return level["in_stock"], level["reserved"]

    async def reserve(
        self,
        quantities: Mapping[int, int],
        *,
        reservation_id: UUID | None = None,
        request_key: UUID | None = None,
    ) -> httpx.Response:
        body = {
            "reservation_id": str(reservation_id or uuid4()),
            "request_key": str(request_key or uuid4()),
            "items": lines(quantities),
        }
        return await self.internal.post("/internal/reservations", json=body)

    async def hold(
        self, quantities: Mapping[int, int], *, reservation_id: UUID | None = None
    ) -> UUID:
        """Reserve, and return the id."""
        response = await self.reserve(quantities, reservation_id=reservation_id)
        assert response.status_code == 201, response.text
        return UUID(response.json()["reservation_id"])

    async def release(self, reservation_id: UUID) -> httpx.Response:
        return await self.internal.post(f"/internal/reservations/{reservation_id}/release")

    @property
    def key(self) -> dict[str, str]:
        return {"X-Internal-Key": self.internal.headers["X-Internal-Key"]}


@asynccontextmanager
async def open_shop(public: str, direct: str) -> AsyncIterator[Shop]:
    """`public`: where the gateway serves Catalog; `direct`: the service itself."""
    async with AsyncExitStack() as exits:

        async def client(base: str, headers: dict[str, str]) -> httpx.AsyncClient:
            made = httpx.AsyncClient(base_url=base, headers=headers, timeout=30)
            return await exits.enter_async_context(made)

        yield Shop(
            anyone=await client(public, {}),
            admin=await client(public, _bearer("admin")),
            customer=await client(public, _bearer("customer")),
            internal=await client(direct, {"X-Internal-Key": "devkey"}),
        )


def _bearer(role: Role) -> dict[str, str]:
    """Catalog goes by the token alone, so no user has to be registered."""
    principal = Principal(1, f"{role}@example.com", role)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The HMAC key is")  # the demo's is short
        token = create_access_token(ServiceSettings(), principal, lifetime=timedelta(hours=1))
    return {"Authorization": f"Bearer {token}"}


def product_body(**fields: Any) -> dict[str, Any]:
    body = {
        "title": "Blue mug",
        "description": "Holds tea",
        "price_cents": 1250,
        "currency": "USD",
        "sku": uuid4().hex,
        "category_id": None,
        "active": True,
    }
    return {**body, **fields}


def lines(quantities: Mapping[int, int]) -> list[dict[str, int]]:
    return [{"product_id": product_id, "qty": qty} for product_id, qty in quantities.items()]


def order_created(reservation_id: UUID, order_id: int) -> EventData:
    return OrderCreated(
        **_order(reservation_id, order_id),
        total_cents=0,
        currency="USD",
        address={
            "address_line1": "1 Demo Street",
            "city": "Dublin",
            "country": "IE",
            "postcode": "D01",
        },
    )


def order_paid(reservation_id: UUID, order_id: int) -> EventData:
    return OrderPaid(**_order(reservation_id, order_id))


def order_cancelled(reservation_id: UUID, order_id: int) -> EventData:
    return OrderCancelled(**_order(reservation_id, order_id), reason="asked for")


def _order(reservation_id: UUID, order_id: int) -> dict[str, Any]:
    """Catalog goes by its own lines, so those of the event are left out."""
    items: list[OrderLine] = []
    return {
        "order_id": order_id,
        "user_id": 1,
        "email": "ann@example.com",
        "reservation_id": reservation_id,
        "items": items,
    }
