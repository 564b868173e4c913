"""Use cases: restock, show stock; and the one way in which stock is locked and changed.

Whoever locks stock of several products locks it in product order, so nobody waits in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy import BindParameter, any_, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from libs.db import Reader, before_commit
from libs.sql import compiled, fetch_all

from ..exceptions import StockLimitReached
from ..models import BIGINTS, UNCHANGED, Inventory, Product, Restock, StockEffect
from ..schemas import StockLine
from .products import AVAILABLE, no_product

MAX_IN_STOCK = 10**9
_PENDING = "pending stock changes"


def _array(name: str) -> BindParameter[Any]:
    return bindparam(name, type_=BIGINTS)


_STOCK = (Inventory.product_id, Inventory.in_stock, Inventory.reserved, AVAILABLE)
_LOCK = compiled(
    select(*_STOCK, Product.title, Product.price_cents, Product.currency, Product.active)
    .join(Product, Product.id == Inventory.product_id)
    .where(Inventory.product_id == any_(_array("ids")))
    .order_by(Inventory.product_id)
    .with_for_update(of=Inventory)
)
_CHANGES = (
    func.unnest(_array("ids"), _array("in_stock_by"), _array("reserved_by"))
    .table_valued("product_id", "in_stock", "reserved")
    .render_derived()
)
_WRITE = compiled(
    update(Inventory)
    .where(Inventory.product_id == _CHANGES.c.product_id)
    .values(
        in_stock=Inventory.in_stock + _CHANGES.c.in_stock,
        reserved=Inventory.reserved + _CHANGES.c.reserved,
    )
    .returning(*_STOCK)
)


def total_by_product(lines: Iterable[StockLine]) -> dict[int, int]:
    """Quantities by product; a product that is named twice adds up."""
    totals: dict[int, int] = {}
    for line in lines:
        totals[line.product_id] = totals.get(line.product_id, 0) + line.qty
    return totals


async def get_stock(reader: Reader, product_id: int) -> Any:
    """Raises ProductNotFound."""
    query = select(*_STOCK).where(Inventory.product_id == product_id)
    if (stock := (await reader.execute(query)).one_or_none()) is None:
        raise no_product(product_id)
    return stock


async def restock(session: AsyncSession, lines: Sequence[StockLine]) -> list[DictRow]:
    """Goods came in: the new levels, in the order of the lines; all of them or none."""
    wanted = total_by_product(lines)
    stock = await lock_stock(session, wanted)
    for product_id, qty in wanted.items():
        if product_id not in stock:
            raise no_product(product_id)
        if stock[product_id]["in_stock"] + qty > MAX_IN_STOCK:
            raise StockLimitReached(f"Product {product_id} can't have more than {MAX_IN_STOCK}.")
    await session.execute(
        insert(Restock), [{"product_id": id_, "qty": qty} for id_, qty in wanted.items()]
    )
    changes = {id_: StockEffect(in_stock=qty, reserved=0) for id_, qty in wanted.items()}
    levels = await write_stock(session, changes)
    return [levels[product_id] for product_id in wanted]


async def lock_stock(session: AsyncSession, product_ids: Iterable[int]) -> dict[int, DictRow]:
    """Lock the stock of those products that exist, in product order, and read them."""
    rows = await fetch_all(session, _LOCK, {"ids": list(product_ids)})
    return {row["product_id"]: row for row in rows}


async def write_stock(
    session: AsyncSession, changes: Mapping[int, StockEffect]
) -> dict[int, DictRow]:
    """Change stock that is locked already, in one statement, and return the new levels."""
    arrays = {
        "ids": list(changes),
        "in_stock_by": [effect.in_stock for effect in changes.values()],
        "reserved_by": [effect.reserved for effect in changes.values()],
    }
    return {row["product_id"]: row for row in await fetch_all(session, _WRITE, arrays)}


def change_stock(
    session: AsyncSession, quantities: Iterable[tuple[int, int]], effect: StockEffect
) -> None:
    """Have (product, quantity) pairs take their effect on the stock, last in this transaction.

    A batch of events changes the stock of each product once, in product order.
    """
    if effect == UNCHANGED:
        return
    before_commit(session, _write_pending)
    pending: dict[int, StockEffect] = session.info.setdefault(_PENDING, {})
    for product_id, qty in quantities:
        before = pending.get(product_id, UNCHANGED)
        pending[product_id] = StockEffect(
            before.in_stock + qty * effect.in_stock, before.reserved + qty * effect.reserved
        )


async def _write_pending(session: AsyncSession) -> None:
    pending: dict[int, StockEffect] = session.info.pop(_PENDING)
    await lock_stock(session, pending)
    await write_stock(session, pending)
