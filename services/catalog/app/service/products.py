"""Use cases: create, change, show and find products and their categories."""

from collections.abc import Sequence
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy import ColumnElement, RowMapping, any_, bindparam, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from libs.errors import Conflict, sqlstate
from libs.pagination import PageRequest
from libs.sql import compiled, fetch_all, fetch_one
from libs.unit_of_work import Statements

from ..exceptions import CategoryNotFound, CategoryTaken, ProductNotFound, SkuTaken
from ..models import BIGINTS, Category, Inventory, Product, fold
from ..schemas import CategoryCreate, ProductCreate, ProductFilter, ProductSort, ProductUpdate

_UNIQUE_VIOLATION = "23505"

AVAILABLE = (Inventory.in_stock - Inventory.reserved).label("available")

_PRODUCTS = select(
    Product.id,
    Product.sku,
    Product.title,
    Product.description,
    Product.price_cents,
    Product.currency,
    Product.category_id,
    Product.active,
    Product.image_etag,
    Product.created_at,
    Inventory.in_stock,
    AVAILABLE,
).join(Inventory, Inventory.product_id == Product.id)

_PRODUCT = compiled(_PRODUCTS.where(Product.id == bindparam("product_id")))
_SEVERAL = compiled(
    _PRODUCTS.where(Product.id == any_(bindparam("ids", type_=BIGINTS))).order_by(Product.id)
)

# As the indexes of active products say it: Postgres does not take `active IS true` for the same.
_ACTIVE = Product.active.expression

# Ties by the id, so that pages neither repeat nor skip; rising, so that new ones come last.
_ORDERS: dict[ProductSort, tuple[Any, ...]] = {
    "title": (Product.title_folded, Product.id),
    "-title": (Product.title_folded.desc(), Product.id),
    "price": (Product.price_cents, Product.id),
    "-price": (Product.price_cents.desc(), Product.id),
    "created": (Product.created_at, Product.id),
    "-created": (Product.created_at.desc(), Product.id.desc()),
}


async def create_category(session: AsyncSession, wanted: CategoryCreate) -> Category:
    category = Category(name=wanted.name)
    session.add(category)
    await _flush(session, CategoryTaken("There is a category of this name."))
    return category


async def list_categories(reader: AsyncConnection) -> Sequence[Any]:
    query = select(Category.id, Category.name).order_by(Category.id)
    return (await reader.execute(query)).all()


async def create_product(session: AsyncSession, wanted: ProductCreate) -> RowMapping:
    """A new product, with nothing of it in stock."""
    await _require_category(session, wanted.category_id)
    product = Product(**wanted.model_dump())
    session.add(product)
    await _flush(session, SkuTaken("There is a product with this sku."))
    session.add(Inventory(product_id=product.id, in_stock=0, reserved=0))
    await session.flush()
    return await show_product(session, product.id)


async def update_product(
    session: AsyncSession, product_id: int, wanted: ProductUpdate
) -> RowMapping:
    product = await lock_product(session, product_id)
    changes = wanted.changes()
    await _require_category(session, changes.get("category_id"))
    for name, value in changes.items():
        setattr(product, name, value)
    await _flush(session, SkuTaken("There is another product with this sku."))
    return await show_product(session, product_id)


async def get_product(reader: Statements, product_id: int) -> DictRow:
    """One query. Raises ProductNotFound; an inactive product is shown."""
    if (product := await fetch_one(reader, _PRODUCT, {"product_id": product_id})) is None:
        raise no_product(product_id)
    return product


async def show_product(session: AsyncSession, product_id: int) -> RowMapping:
    """One that is there, as this session has changed it."""
    found = await session.execute(_PRODUCTS.where(Product.id == product_id))
    return found.mappings().one()


async def find_products(reader: Statements, ids: Sequence[int]) -> list[DictRow]:
    """Those of the ids that exist, in the order of ids."""
    return await fetch_all(reader, _SEVERAL, {"ids": list(ids)})


async def list_products(
    reader: AsyncConnection, wanted: ProductFilter, page: PageRequest
) -> tuple[Sequence[RowMapping], int]:
    """A page of the active products that match, and how many there are in all."""
    matching = list(_conditions(wanted))
    query = _PRODUCTS.where(*matching).order_by(*_ORDERS[wanted.sort])
    found = await reader.execute(query.limit(page.limit).offset(page.offset))
    items = found.mappings().all()
    if 0 < len(items) < page.limit or (not items and not page.offset):
        return items, page.offset + len(items)
    total = select(func.count()).select_from(Product).where(*matching)
    return items, await reader.scalar(total) or 0


async def lock_product(session: AsyncSession, product_id: int) -> Product:
    """The product, locked against other changes of it; rows that refer to it can still be made."""
    product = await session.get(Product, product_id, with_for_update={"key_share": True})
    if product is None:
        raise no_product(product_id)
    return product


def no_product(product_id: int) -> ProductNotFound:
    return ProductNotFound(f"There is no product {product_id}.")


def _conditions(wanted: ProductFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_ACTIVE]
    if wanted.q:
        conditions.append(Product.title_folded.contains(fold(wanted.q), autoescape=True))
    if wanted.category_id is not None:
        conditions.append(Product.category_id == wanted.category_id)
    if wanted.min_price is not None:
        conditions.append(Product.price_cents >= wanted.min_price)
    if wanted.max_price is not None:
        conditions.append(Product.price_cents <= wanted.max_price)
    return conditions


async def _require_category(session: AsyncSession, category_id: int | None) -> None:
    if category_id is not None and await session.get(Category, category_id) is None:
        raise CategoryNotFound(f"There is no category {category_id}.")


async def _flush(session: AsyncSession, taken: Conflict) -> None:
    """Write the pending changes; raises `taken` when a unique value is in use."""
    try:
        await session.flush()
    except IntegrityError as error:
        if sqlstate(error) == _UNIQUE_VIOLATION:
            raise taken from None
        raise
