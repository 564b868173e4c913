"""The public API, as `/shipping/...` through the gateway."""

from typing import Annotated

from fastapi import Query

from libs.db import DatabaseDep
from libs.pagination import Limit
from libs.routing import service_router
from libs.security import Admin, User
from libs.types import PathId

from . import service
from .schemas import ShipmentRead

router = service_router(prefix="/v1/shipments", tags=["shipments"])


@router.get("")
async def list_shipments(
    viewer: User,
    database: DatabaseDep,
    order_id: Annotated[PathId | None, Query()] = None,
    limit: Limit = 20,
) -> list[ShipmentRead]:
    """One's own shipments (an admin: all), newest first."""
    async with database.autocommit() as reader:
        shipments = await service.list_shipments(reader, viewer, order_id=order_id, limit=limit)
    return [ShipmentRead.model_validate(shipment) for shipment in shipments]


@router.post("/{shipment_id}/dispatch")
async def dispatch_shipment(
    shipment_id: PathId, _admin: Admin, database: DatabaseDep
) -> ShipmentRead:
    """Hand a shipment that is ready to ship to the (demo) carrier."""
    async with database.transaction() as transaction:
        shipment = await service.dispatch_shipment(transaction, shipment_id=shipment_id)
    return ShipmentRead.model_validate(shipment)
