"""What Order asks of Payment; needs X-Internal-Key and is not behind the gateway."""

from libs.db import DatabaseDep
from libs.routing import service_router
from libs.security import InternalKey
from libs.types import PathId

from . import service

router = service_router(
    prefix="/internal/orders", dependencies=[InternalKey], include_in_schema=False
)


@router.post("/{order_id}/close", status_code=204)
async def close_unpaid(order_id: PathId, database: DatabaseDep) -> None:
    """Refuse payments for an order that is about to expire; 409 when it is paid."""
    async with database.transaction() as transaction:
        await service.close_unpaid(transaction, order_id=order_id)
