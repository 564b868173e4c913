"""`/v1/categories`"""

from libs.db import ExpressionsDep, SessionDep
from libs.routing import service_router

from ..schemas import CategoryCreate, CategoryRead
from ..service import products
from .access import AdminOnly

router = service_router(prefix="/v1/categories", tags=["categories"])


@router.post("", status_code=201, dependencies=[AdminOnly])
async def create_category(wanted: CategoryCreate, session: SessionDep) -> CategoryRead:
    return CategoryRead.model_validate(await products.create_category(session, wanted))


@router.get("")
async def list_categories(reader: ExpressionsDep) -> list[CategoryRead]:
    return [CategoryRead.model_validate(found) for found in await products.list_categories(reader)]
