"""`/v1/products`"""

from typing import Annotated

from fastapi import Depends, Query

from libs.db import DatabaseDep, ExpressionsDep, SessionDep
from libs.pagination import Page, Paging
from libs.routing import service_router
from libs.types import PathId, StoredText, UrlInteger

from ..schemas import ProductCreate, ProductFilter, ProductRead, ProductSort, ProductUpdate
from ..service import products
from .access import AdminOnly, PublicPrefix

router = service_router(prefix="/v1/products", tags=["products"])

Price = Annotated[UrlInteger | None, Query(ge=0, le=2**63 - 1, description="In cents, inclusive")]


async def _filter(
    q: Annotated[StoredText, Query(max_length=200, description="Text in the title")] = "",
    category_id: Annotated[PathId | None, Query()] = None,
    min_price: Price = None,
    max_price: Price = None,
    sort: ProductSort = "-created",
) -> ProductFilter:
    return ProductFilter.model_construct(
        q=q, category_id=category_id, min_price=min_price, max_price=max_price, sort=sort
    )


@router.post("", status_code=201, dependencies=[AdminOnly])
async def create_product(
    wanted: ProductCreate, session: SessionDep, prefix: PublicPrefix
) -> ProductRead:
    return ProductRead.of(await products.create_product(session, wanted), prefix)


@router.get("")
async def list_products(
    wanted: Annotated[ProductFilter, Depends(_filter)],
    page: Paging,
    reader: ExpressionsDep,
    prefix: PublicPrefix,
) -> Page[ProductRead]:
    """The active products that match; every character of `q` stands for itself, in any case."""
    found, total = await products.list_products(reader, wanted, page)
    items = [ProductRead.of(product, prefix) for product in found]
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


@router.get("/{product_id}")
async def get_product(
    product_id: PathId, database: DatabaseDep, prefix: PublicPrefix
) -> ProductRead:
    """One product, an inactive one too."""
    async with database.autocommit() as reader:
        return ProductRead.of(await products.get_product(reader, product_id), prefix)


@router.patch("/{product_id}", dependencies=[AdminOnly])
async def update_product(
    product_id: PathId, wanted: ProductUpdate, session: SessionDep, prefix: PublicPrefix
) -> ProductRead:
    """Change the fields that are sent, and no other."""
    return ProductRead.of(await products.update_product(session, product_id, wanted), prefix)
