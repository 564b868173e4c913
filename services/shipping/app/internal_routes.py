"""What Order asks of Shipping: to draft a shipment, and whether it can still be cancelled."""

from libs.db import SessionDep
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
async def draft_shipment(wanted: ShipmentCreate, session: SessionDep) -> ShipmentState:
    order = OrderRef(wanted.order_id, wanted.user_id, wanted.email)
    address = Address(**wanted.address.model_dump())
    shipment = await service.draft_shipment(session, order, address=address)
    return ShipmentState.model_validate(shipment)


@router.post("/cancel")
async def cancel_shipment(wanted: ShipmentCancel, session: SessionDep) -> ShipmentCancelled:
    order = OrderRef(wanted.order_id, wanted.user_id, wanted.email)
    await service.cancel_shipment(session, order, reason=wanted.reason)
    return ShipmentCancelled(order_id=wanted.order_id)
