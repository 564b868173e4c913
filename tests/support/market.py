"""The order flow's steps, as a shop's admin and its customers take them through the gateway."""

from typing import Any
from uuid import uuid4

import httpx

from .people import Customer, make_customer
from .waiting import PATIENCE, eventually

ADDRESS = {
    "address_line1": "1 Demo Street",
    "address_line2": "",
    "city": "Dublin",
    "country": "IE",
    "postcode": "D01XYZ",
}

Json = dict[str, Any]


class Market:
    def __init__(self, admin: Customer, internal_key: dict[str, str]) -> None:
        self.admin = admin
        self.api = admin.api
        self.internal_key = internal_key

    async def make_product(self, *, stock: int = 100, **changes: Any) -> Json:
        body = {
            "title": f"Mug {uuid4().hex[:6]}",
            "description": "Holds tea",
            "price_cents": 1250,
            "currency": "USD",
            "sku": uuid4().hex,
            "active": True,
            **changes,
        }
        product = _json(await self.admin.post("/catalog/v1/products/", json=body), 201)
        if stock:
            items = [{"product_id": product["id"], "qty": stock}]
            restock = "/catalog/v1/inventory/restock"
            body = {"items": items}
            _json(await self.admin.post(restock, json=body, headers=self.internal_key), 200)
        return product

    async def new_customer(self) -> Customer:
        return await make_customer(self.api)

    async def add_to_cart(self, customer: Customer, product: Json, qty: int = 1) -> Json:
        body = {"product_id": product["id"], "qty": qty}
        return _json(await customer.post("/cart/v1/cart/items", json=body), 201)

    async def checkout(self, customer: Customer, **headers: str) -> httpx.Response:
        return await customer.post("/order/v1/orders/checkout", json=ADDRESS, headers=headers)

    async def place_order(self, customer: Customer, product: Json, qty: int = 1) -> Json:
        """Cart and checkout; the checkout's answer."""
        await self.add_to_cart(customer, product, qty)
        return _json(await self.checkout(customer), 201)

    async def pay(
        self,
        customer: Customer,
        order: Json,
        *,
        how: str = "succeed",
        at: str = "/payment",
        **changes: Any,
    ) -> httpx.Response:
        """`order` is a checkout's answer, `at` where Payment is or the URL of a copy of it."""
        headers = changes.pop("headers", {})
        body = {
            "order_id": order["order_id"],
            "amount_cents": order["total_cents"],
            "currency": order["currency"],
            **changes,
        }
        return await customer.post(f"{at}/v1/payments/mock-{how}", json=body, headers=headers)

    async def cancel(self, customer: Customer, order: Json, **headers: str) -> httpx.Response:
        path = f"/order/v1/orders/{order['order_id']}/cancel"
        return await customer.post(path, headers=headers)

    async def wait_for_order(self, order: Json, status: str, *, within: float = PATIENCE) -> Json:
        async def reached() -> Json | None:
            path = f"/order/v1/orders/{order['order_id']}"
            found = _json(await self.admin.get(path), 200)
            return found if found["status"] == status else None

        return await eventually(reached, within=within, what=f"order {status}")

    async def wait_for_shipment(self, order: Json, status: str) -> Json:
        async def reached() -> Json | None:
            path = f"/shipping/v1/shipments?order_id={order['order_id']}"
            found = _rows(await self.admin.get(path))
            return next((s for s in found if s["status"] == status), None)

        return await eventually(reached, what=f"shipment {status}")

    async def wait_for_payment(self, order: Json, status: str) -> Json:
        async def reached() -> Json | None:
            path = f"/payment/v1/payments?order_id={order['order_id']}"
            found = _rows(await self.admin.get(path))
            return next((p for p in found if p["status"] == status), None)

        return await eventually(reached, what=f"payment {status}")

    async def stock(self, product: Json) -> tuple[int, int]:
        """(in_stock, reserved)"""
        level = _json(await self.api.get(f"/catalog/v1/inventory/{product['id']}"), 200)
        return level["in_stock"], level["reserved"]

    async def wait_for_stock(
        self, product: Json, in_stock: int, reserved: int, *, within: float = PATIENCE
    ) -> None:
        async def reached() -> bool:
            return await self.stock(product) == (in_stock, reserved)

        await eventually(reached, within=within, what=f"stock {in_stock}, reserved {reserved}")

    async def dispatch(self, shipment: Json) -> httpx.Response:
        return await self.admin.post(f"/shipping/v1/shipments/{shipment['id']}/dispatch")


def _json(response: httpx.Response, status: int) -> Json:
    assert response.status_code == status, f"{response.status_code} {response.text}"
    body: Json = response.json()
    return body


def _rows(response: httpx.Response) -> list[Json]:
    assert response.status_code == 200, f"{response.status_code} {response.text}"
    rows: list[Json] = response.json()
    return rows
