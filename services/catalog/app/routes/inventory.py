"""`/v1/inventory`"""

from libs.db import DatabaseDep, ExpressionsDep
from libs.routing import service_router
from libs.security import InternalKey
from libs.types import PathId

from ..schemas import RestockCreate, RestockRead, StockRead
from ..service import stock
from .access import AdminOnly

router = service_router(prefix="/v1/inventory", tags=["inventory"])


@router.post("/restock", dependencies=[AdminOnly, InternalKey])
async def restock(wanted: RestockCreate, database: DatabaseDep) -> RestockRead:
    """Goods came in; a product that is named twice adds up, and an unknown one refuses it all."""
    async with database.transaction() as transaction:
        levels = await stock.restock(transaction, wanted.items)
    return RestockRead(items=[StockRead.model_validate(level) for level in levels])


@router.get("/{product_id}")
async def get_stock(product_id: PathId, reader: ExpressionsDep) -> StockRead:
    """`in_stock` includes what is `reserved`; `available` is the rest."""
    return StockRead.model_validate(await stock.get_stock(reader, product_id))
