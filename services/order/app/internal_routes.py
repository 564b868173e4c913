"""What other services ask Order; needs X-Internal-Key and is not behind the gateway."""

from uuid import UUID

from libs.db import DatabaseDep
from libs.routing import service_router
from libs.security import InternalKey
from libs.types import PathId

from . import service
from .schemas import ClaimRead, OrderSummary

router = service_router(prefix="/internal", dependencies=[InternalKey], include_in_schema=False)


@router.get("/orders/{order_id}")
async def get_order_summary(order_id: PathId, database: DatabaseDep) -> OrderSummary:
    """Whose order it is, what it costs, and its status."""
    async with database.autocommit() as reader:
        return OrderSummary.model_validate(await service.get_summary(reader, order_id))


@router.post("/reservations/{reservation_id}/claim")
async def claim_reservation(reservation_id: UUID, database: DatabaseDep) -> ClaimRead:
    """Which order a reservation belongs to; null is a promise that none will come."""
    async with database.autocommit() as statements:
        return ClaimRead(order_id=await service.claim_reservation(statements, reservation_id))
