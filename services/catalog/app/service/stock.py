"""Use cases: restock, show stock; and the one way in which stock is locked and changed.

Whoever locks stock of several products locks it in product order, so nobody waits in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.sql import fetch_all, run
from libs.unit_of_work import Transaction

from ..exceptions import StockLimitReached
from ..models import UNCHANGED, Inventory, StockEffect
from ..schemas import StockLine
from .products import AVAILABLE, no_product

MAX_IN_STOCK = 10**9
_PENDING = "pending stock changes"


_STOCK = (Inventory.product_id, Inventory.in_stock, Inventory.reserved, AVAILABLE)
_LOCK = """
SELECT product_id, in_stock FROM catalog.inventory WHERE product_id = ANY(%s)
ORDER BY product_id FOR UPDATE"""
_WRITE = """
UPDATE catalog.inventory i
SET in_stock = i.in_stock + by.in_stock, reserved = i.reserved + by.reserved
FROM unnest(%(ids)s::bigint[], %(in_stock_by)s::bigint[], %(reserved_by)s::bigint[])
         AS by (product_id, in_stock, reserved)
JOIN (SELECT product_id FROM catalog.inventory WHERE product_id = ANY(%(ids)s)
      ORDER BY product_id FOR UPDATE) AS locked USING (product_id)
WHERE i.product_id = locked.product_id
RETURNING i.product_id, i.in_stock, i.reserved, i.in_stock - i.reserved AS available"""
_KEEP = """
INSERT INTO catalog.restocks (product_id, qty) SELECT * FROM unnest(%s::bigint[], %s::bigint[])"""


def total_by_product(lines: Iterable[StockLine]) -> dict[int, int]:
    """Quantities by product; a product that is named twice adds up."""
    totals: dict[int, int] = {}
    for line in lines:
        totals[line.product_id] = totals.get(line.product_id, 0) + line.qty
    return totals


async def get_stock(reader: AsyncConnection, product_id: int) -> Any:
    """Raises ProductNotFound."""
    query = select(*_STOCK).where(Inventory.product_id == product_id)
    if (stock := (await reader.execute(query)).one_or_none()) is None:
        raise no_product(product_id)
    return stock


async def restock(transaction: Transaction, lines: Sequence[StockLine]) -> list[DictRow]:
    """Goods came in: the new levels, in the order of the lines; all of them or none."""
    wanted = total_by_product(lines)
    locked = await run(transaction, _LOCK, (list(wanted),))
    in_stock: dict[int, int] = dict(await locked.fetchall())
    for product_id, qty in wanted.items():
        if product_id not in in_stock:
            raise no_product(product_id)
        if in_stock[product_id] + qty > MAX_IN_STOCK:
            raise StockLimitReached(f"Product {product_id} can't have more than {MAX_IN_STOCK}.")
    await run(transaction, _KEEP, (list(wanted), list(wanted.values())))
    changes = {id_: StockEffect(in_stock=qty, reserved=0) for id_, qty in wanted.items()}
    levels = await _write(transaction, changes)
    return [levels[product_id] for product_id in wanted]


async def _write(
    transaction: Transaction, changes: Mapping[int, StockEffect]
) -> dict[int, DictRow]:
    """Lock the products' stock, in their order, and change it; the new levels."""
    arrays = {
        "ids": list(changes),
        "in_stock_by": [effect.in_stock for effect in changes.values()],
        "reserved_by": [effect.reserved for effect in changes.values()],
    }
    return {row["product_id"]: row for row in await fetch_all(transaction, _WRITE, arrays)}


def change_stock(
    transaction: Transaction, quantities: Iterable[tuple[int, int]], effect: StockEffect
) -> None:
    """Have (product, quantity) pairs take their effect on the stock, last in this transaction.

    A batch of events changes the stock of each product once, in product order.
    """
    if effect == UNCHANGED:
        return
    transaction.before_commit(_write_pending)
    pending: dict[int, StockEffect] = transaction.pending.setdefault(_PENDING, {})
    for product_id, qty in quantities:
        before = pending.get(product_id, UNCHANGED)
        pending[product_id] = StockEffect(
            before.in_stock + qty * effect.in_stock, before.reserved + qty * effect.reserved
        )


async def _write_pending(transaction: Transaction) -> None:
    await _write(transaction, transaction.pending.pop(_PENDING))
