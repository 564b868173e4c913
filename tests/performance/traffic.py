"""Something of everything that customers and admins do."""

from typing import Any

import httpx

from tests.support.market import Market
from tests.support.people import Customer

Json = dict[str, Any]
BUYER = {"email": "fill-1@fill.example", "password": "fill-password"}
"""One of those who have ordered before."""

SHOWN_TO_CUSTOMERS = (
    "/auth/me",
    "/catalog/v1/categories",
    "/catalog/v1/products",
    "/catalog/v1/products?sort=price&offset=40",
    "/catalog/v1/products?sort=-title",
    "/catalog/v1/products?category_id={category}",
    "/catalog/v1/products?min_price=5000&max_price=5100",
    "/catalog/v1/products?q=lamp",
    "/catalog/v1/inventory/{product}",
    "/cart/v1/cart",
    "/order/v1/orders",
    "/order/v1/orders?status=PAID",
    "/order/v1/orders/{order}",
    "/payment/v1/payments",
    "/payment/v1/payments?order_id={order}",
    "/shipping/v1/shipments",
    "/shipping/v1/shipments?order_id={order}",
    "/notifications/v1/notifications",
)
SHOWN_TO_ADMINS = (
    "/order/v1/orders",
    "/payment/v1/payments?order_id={order}",
    "/payment/v1/payments",
    "/shipping/v1/shipments?order_id={order}",
    "/shipping/v1/shipments",
)


async def log_in(api: httpx.AsyncClient) -> tuple[Customer, str]:
    """(the buyer, a refresh token)"""
    session = await api.post("/auth/login", json=BUYER)
    assert session.status_code == 200, session.text
    token, refresh = session.json()["access_token"], session.json()["refresh_token"]
    me = await api.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    return Customer(me.json()["id"], BUYER["email"], token, api), refresh


async def use_everything(market: Market) -> None:
    """Orders that are shipped, cancelled and refused, and everything that shows them."""
    buyer, refresh = await log_in(market.api)
    product = await market.make_product(stock=100)
    key = {"Idempotency-Key": product["sku"]}
    await market.add_to_cart(buyer, product)
    order: Json = (await market.checkout(buyer, **key)).json()
    assert (await market.checkout(buyer, **key)).json() == order
    assert (await market.pay(buyer, order, how="fail")).status_code == 201
    assert (await market.pay(buyer, order, headers=key)).status_code == 201
    shipment = await market.wait_for_shipment(order, "READY_TO_SHIP")
    assert (await market.dispatch(shipment)).status_code == 200
    await market.wait_for_order(order, "SHIPPED")
    cancelled = await market.place_order(buyer, product)
    assert (await market.pay(buyer, cancelled)).status_code == 201
    await market.wait_for_order(cancelled, "PAID")
    assert (await market.cancel(buyer, cancelled)).status_code == 200
    await market.wait_for_payment(cancelled, "REFUNDED")
    await _show(market, buyer, order, product)
    price = {"price_cents": 2000}
    await market.admin.request("PATCH", f"/catalog/v1/products/{product['id']}", json=price)
    session = await market.api.post("/auth/refresh", json={"refresh_token": refresh})
    assert session.status_code == 200
    token = {"refresh_token": session.json()["refresh_token"]}
    assert (await market.api.post("/auth/logout", json=token)).status_code == 204


async def _show(market: Market, buyer: Customer, order: Json, product: Json) -> None:
    categories = (await market.api.get("/catalog/v1/categories")).json()
    known = {
        "order": order["order_id"],
        "product": product["id"],
        "category": categories[0]["id"],
    }
    for person, paths in ((buyer, SHOWN_TO_CUSTOMERS), (market.admin, SHOWN_TO_ADMINS)):
        for path in paths:
            answer = await person.get(path.format(**known))
            assert answer.status_code == 200, f"{path}: {answer.text}"
