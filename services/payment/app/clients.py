"""Order, over HTTP: whose order it is, what it costs, and whether it can be paid."""

from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel

from libs.http import ServiceClient

from .exceptions import OrderNotFound


class OrderSummary(BaseModel):
    """Order's answer to `GET /internal/orders/{id}`."""

    id: int
    user_id: int
    email: str
    status: str
    total_cents: int
    currency: str


class OrderClient:
    def __init__(self, http: ServiceClient) -> None:
        self._http = http

    async def get_order(self, order_id: int) -> OrderSummary:
        """Raises OrderNotFound, or DependencyUnavailable when Order gives no answer."""
        response = await self._http.get(f"/internal/orders/{order_id}", refusals={404})
        if response.status_code == 404:
            raise OrderNotFound(f"There is no order {order_id}.")
        return OrderSummary.model_validate_json(response.content)


async def get_order_client(request: Request) -> OrderClient:
    orders: OrderClient = request.app.state.orders
    return orders


OrderClientDep = Annotated[OrderClient, Depends(get_order_client)]
