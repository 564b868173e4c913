"""Order, over HTTP: whether an order has come of a reservation, or ever can."""

from uuid import UUID

from pydantic import BaseModel

from libs.http import ServiceClient


class Claim(BaseModel):
    """Order's answer: the order, or None, which binds it: no order with this id comes any more."""

    order_id: int | None


class OrderClient:
    def __init__(self, http: ServiceClient) -> None:
        self._http = http

    async def claim(self, reservation_id: UUID) -> int | None:
        """The order of this reservation. Raises DependencyUnavailable when Order gives no answer;
        then nothing is known."""
        response = await self._http.post(f"/internal/reservations/{reservation_id}/claim")
        return Claim.model_validate_json(response.content).order_id
