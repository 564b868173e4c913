"""Cart, Catalog, Payment and Shipping, over HTTP; their refusals become our errors."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from fastapi import Depends, Request
from pydantic import BaseModel

from libs.app import ServiceContext
from libs.http import ServiceClient

from .config import OrderSettings
from .exceptions import CheckoutExpired, GoodsUnavailable, OrderIsPaid, OrderNotCancellable
from .models import Order


class CartLine(BaseModel):
    product_id: int
    qty: int


class CartContent(BaseModel):
    checkout_token: str | None
    items: list[CartLine]


class ReservedLine(BaseModel):
    product_id: int
    title: str
    qty: int
    unit_price_cents: int
    currency: str


class Reservation(BaseModel):
    """Goods held for us; the prices are Catalog's, at this moment."""

    reservation_id: UUID
    items: list[ReservedLine]


class CartClient:
    def __init__(self, http: ServiceClient) -> None:
        self._http = http

    async def get_cart(self, user_id: int) -> CartContent:
        response = await self._http.get(f"/internal/carts/{user_id}")
        return CartContent.model_validate_json(response.content)

    async def take_out(self, user_id: int, token: str, items: list[CartLine]) -> CartContent:
        """What was bought leaves the cart, once per token; what was added meanwhile stays."""
        body = {"checkout_token": token, "items": [item.model_dump() for item in items]}
        response = await self._http.post(f"/internal/carts/{user_id}/checked-out", json=body)
        return CartContent.model_validate_json(response.content)


class CatalogClient:
    def __init__(self, http: ServiceClient) -> None:
        self._http = http

    async def reserve(self, token: str, items: list[CartLine]) -> Reservation:
        """Hold the goods under a fresh id, all or nothing.

        Two checkouts of one cart at once get one reservation: they send the same request key.
        """
        lines = [item.model_dump() for item in items]
        body = {
            "reservation_id": str(uuid4()),
            "request_key": str(uuid5(NAMESPACE_OID, f"{token}:{lines}")),
            "items": lines,
        }
        response = await self._http.post("/internal/reservations", json=body, refusals={409})
        if response.status_code == 409:
            raise _refusal(response.json())
        return Reservation.model_validate_json(response.content)

    async def release(self, reservation_id: UUID) -> None:
        await self._http.post(f"/internal/reservations/{reservation_id}/release")


class PaymentClient:
    def __init__(self, http: ServiceClient) -> None:
        self._http = http

    async def close(self, order: Order) -> None:
        """Let no payment come any more. Raises OrderIsPaid when there is one, whose event may
        still be on its way, DependencyUnavailable when there is no answer."""
        response = await self._http.post(f"/internal/orders/{order.id}/close", refusals={409})
        if response.status_code == 409:
            raise OrderIsPaid(f"Order {order.id} is paid.")


class ShippingClient:
    def __init__(self, http: ServiceClient, *, draft_timeout: float) -> None:
        self._http = http
        self._draft_timeout = draft_timeout

    async def draft(self, order: Order) -> None:
        """Create the shipment draft, within a short time."""
        address = {
            name: getattr(order, name)
            for name in ("address_line1", "address_line2", "city", "country", "postcode")
        }
        body = {**_order_and_user(order), "address": address}
        await self._http.request(
            "POST", "/internal/shipments", json=body, timeout=self._draft_timeout
        )

    async def cancel(self, order: Order, *, reason: str) -> None:
        """Stop the goods from leaving. Raises OrderNotCancellable when they have left,
        DependencyUnavailable when there is no answer."""
        body = {**_order_and_user(order), "reason": reason}
        response = await self._http.post("/internal/shipments/cancel", json=body, refusals={409})
        if response.status_code == 409:
            raise OrderNotCancellable(f"Order {order.id} can't be cancelled: it has been sent.")


@dataclass(frozen=True)
class Clients:
    cart: CartClient
    catalog: CatalogClient
    payment: PaymentClient
    shipping: ShippingClient
    all: tuple[ServiceClient, ...]


def make_clients(context: ServiceContext[OrderSettings]) -> Clients:
    settings = context.settings
    cart = context.client("cart", settings.cart_base)
    catalog = context.client("catalog", settings.catalog_base)
    payment = context.client("payment", settings.payment_base)
    shipping = context.client("shipping", settings.shipping_base)
    return Clients(
        CartClient(cart),
        CatalogClient(catalog),
        PaymentClient(payment),
        ShippingClient(shipping, draft_timeout=settings.draft_timeout),
        all=(cart, catalog, payment, shipping),
    )


async def get_clients(request: Request) -> Clients:
    clients: Clients = request.app.state.clients
    return clients


ClientsDep = Annotated[Clients, Depends(get_clients)]


def _refusal(problem: dict[str, Any]) -> GoodsUnavailable | CheckoutExpired:
    code = str(problem.get("code", "conflict"))
    if code == "reservation_closed":
        return CheckoutExpired("The reservation was given back meanwhile; check out again.")
    extra = {name: problem[name] for name in ("short", "product_ids") if name in problem}
    return GoodsUnavailable(str(problem.get("detail", "")), code, **extra)


def _order_and_user(order: Order) -> dict[str, Any]:
    return {"order_id": order.id, "user_id": order.user_id, "email": order.email}
