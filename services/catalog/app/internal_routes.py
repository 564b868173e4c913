"""What other services ask Catalog for; needs X-Internal-Key and is not behind the gateway."""

from uuid import UUID

from libs.db import DatabaseDep
from libs.routing import service_router
from libs.security import InternalKey

from .schemas import (
    ProductSummaries,
    ProductSummary,
    ReservationCreate,
    ReservationRead,
    ReservationStatusRead,
    SummaryIds,
)
from .service import products, reservations

router = service_router(prefix="/internal", dependencies=[InternalKey], include_in_schema=False)


@router.get("/products")
async def list_summaries(ids: SummaryIds, database: DatabaseDep) -> ProductSummaries:
    """Titles, prices and what is left, of those that exist."""
    async with database.autocommit() as reader:
        found = await products.find_products(reader, ids)
    return ProductSummaries(products=[ProductSummary.model_validate(product) for product in found])


@router.post("/reservations", status_code=201)
async def reserve(wanted: ReservationCreate, database: DatabaseDep) -> ReservationRead:
    """Hold goods for an order to come: all of them or none."""
    async with database.transaction() as transaction:
        return await reservations.reserve(transaction, wanted)


@router.post("/reservations/{reservation_id}/release")
async def release(reservation_id: UUID, database: DatabaseDep) -> ReservationStatusRead:
    """Let go of goods for which no order came; one that has an order stays as it is."""
    async with database.transaction() as transaction:
        reservation = await reservations.release(transaction, reservation_id)
    return ReservationStatusRead(status=reservation.status)
