"""What Order asks of Shipping: to draft a shipment, and whether it can still be cancelled."""

from libs.db import DatabaseDep
from libs.events import Address
from libs.routing import service_router
from libs.security import InternalKey

from . import service
from .schemas import ShipmentCancel, ShipmentCancelled, ShipmentCreate, ShipmentState
from .service import OrderRef

router = service_router(
    prefix="/internal/shipments", dependencies=[InternalKey], include_in_schema=False
)


@router.post("", status_code=201)
async def draft_shipment(wanted: ShipmentCreate, database: DatabaseDep) -> ShipmentState:
    order = OrderRef(wanted.order_id, wanted.user_id, wanted.email)
    address = Address(**wanted.address.model_dump())
    shipment = await service.open_shipment(database, order, address=address)
    return ShipmentState.model_validate(shipment)


@router.post("/cancel")
async def cancel_shipment(wanted: ShipmentCancel, database: DatabaseDep) -> ShipmentCancelled:
    order = OrderRef(wanted.order_id, wanted.user_id, wanted.email)
    async with database.transaction() as transaction:
        await service.cancel_shipment(transaction, order, reason=wanted.reason)
    return ShipmentCancelled(order_id=wanted.order_id)
