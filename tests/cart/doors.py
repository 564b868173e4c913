"""Cart's doors: the customers' through the gateway, and Order's."""

from typing import Any

from tests.support.market import Market
from tests.support.people import Customer

Json = dict[str, Any]
CART = "/cart/v1/cart"
ITEMS = "/cart/v1/cart/items"


async def lines(buyer: Customer) -> dict[int, int]:
    cart = (await buyer.get(CART)).json()
    return {item["product_id"]: item["qty"] for item in cart["items"]}


class Internal:
    """Cart's calls for Order."""

    def __init__(self, market: Market, stack: Json, buyer: Customer) -> None:
        self.api = market.api
        self.path = f"{stack['services']['cart']['url']}/internal/carts/{buyer.id}"
        self.key = market.internal_key

    async def get(self) -> Json:
        response = await self.api.get(self.path, headers=self.key)
        assert response.status_code == 200, response.text
        cart: Json = response.json()
        return cart

    async def check_out(self, token: str, lines: dict[int, int]) -> Json:
        items = [{"product_id": id_, "qty": qty} for id_, qty in lines.items()]
        body = {"checkout_token": token, "items": items}
        path = f"{self.path}/checked-out"
        response = await self.api.post(path, json=body, headers=self.key)
        assert response.status_code == 200, response.text
        cart: Json = response.json()
        return cart
