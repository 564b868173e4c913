"""The whole fill: customers, products, and orders in batches of one transaction each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from passlib.hash import argon2
from psycopg import sql

from libs.asyncapi import CONSUMERS, PRODUCERS

from ..console import Console, ScriptError
from ..topics.database import Connection
from . import events, orders, shop

PASSWORD = "fill-password"
SHOP_BATCH, ORDER_BATCH = 10_000, 5_000
_LOCK = 0x66696C6C
_TABLES: LiteralString = """
SELECT schemaname, relname FROM pg_stat_user_tables
WHERE schemaname = ANY(%s) AND relname <> 'alembic_version' ORDER BY 1, 2"""
_SCHEMAS = ["auth", "catalog", "notifications", "order", "payment", "shipping"]


@dataclass(frozen=True)
class Wanted:
    """How many there are to be in all; `events` is outbox and inbox rows together."""

    orders: int
    products: int
    customers: int
    events: int


class Fill:
    """Each batch is one transaction over all schemas, so a fill that is stopped leaves no order
    without its payment, and the next one goes on from there."""

    def __init__(self, connection: Connection, wanted: Wanted, console: Console) -> None:
        self._connection, self._wanted, self._console = connection, wanted, console
        self._there: dict[str, int] = {}

    def run(self) -> int:
        """How many rows were added. Raises ScriptError while another fill is at work."""
        self._prepare()
        added = self._shop("customers", self._wanted.customers, shop.CUSTOMERS)
        added += self._shop("products", self._wanted.products, shop.PRODUCTS)
        added += self._orders()
        if added:
            self._vacuum()
        return added

    def summary(self) -> Iterator[str]:
        for name, wanted in (
            ("customers", self._wanted.customers),
            ("products", self._wanted.products),
            ("orders", self._wanted.orders),
        ):
            there = self._there[name]
            yield f"{max(there, wanted):>10,} {name} ({there:,} were there)"
        yield f"{self._count_events():>10,} outbox and inbox rows"

    def _prepare(self) -> None:
        (locked,) = self._row("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
        if not locked:
            raise ScriptError("Another fill.py is at work on this database")
        self._connection.execute("SET synchronous_commit = off")
        self._connection.execute("SET work_mem = '64MB'")
        self._connection.execute(shop.CATEGORIES)
        counts = {
            "customers": shop.COUNT_CUSTOMERS,
            "products": shop.COUNT_PRODUCTS,
            "orders": orders.COUNT,
        }
        self._there = {name: self._row(query)[0] for name, query in counts.items()}

    def _shop(self, name: str, wanted: int, statement: LiteralString) -> int:
        added = 0
        parameters = {"hash": _hash()}
        for first, last in _batches(self._there[name] + 1, wanted, SHOP_BATCH):
            self._console.progress(f"{name}: {last:,} of {wanted:,}")
            span = {"first": first, "last": last}
            added += self._connection.execute(statement, {**parameters, **span}).rowcount
        return added

    def _orders(self) -> int:
        wanted, added = self._wanted, 0
        if self._there["orders"] >= wanted.orders:
            return 0
        for statement in shop.SHOP:
            self._connection.execute(statement)
        span = {
            "orders": wanted.orders,
            "recent": max(0, wanted.orders - wanted.events // events.ROWS_AN_ORDER),
        }
        for first, last in _batches(self._there["orders"] + 1, wanted.orders, ORDER_BATCH):
            self._console.progress(f"orders: {last:,} of {wanted.orders:,}")
            added += self._batch({**span, "first": first, "last": last})
        return added

    def _batch(self, parameters: Mapping[str, Any]) -> int:
        added = 0
        with self._connection.transaction():
            for statement in (*orders.BATCH, *events.BATCH):
                cursor = self._connection.execute(statement, parameters)
                if statement.lstrip().startswith("INSERT"):
                    added += cursor.rowcount
            for query in _event_rows():
                added += self._connection.execute(query).rowcount
        return added

    def _vacuum(self) -> None:
        """Else the planner knows nothing of what has come until autovacuum does."""
        for schema, name in self._connection.execute(_TABLES, (_SCHEMAS,)).fetchall():
            self._console.progress(f"analysing {schema}.{name}")
            table = sql.Identifier(schema, name)
            self._connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))

    def _count_events(self) -> int:
        tables = [sql.Identifier(producer, "outbox") for producer in PRODUCERS.values()]
        tables += [sql.Identifier(consumer, "inbox") for consumer in CONSUMERS]
        count = sql.SQL("(SELECT count(*) FROM {})")
        total = sql.SQL(" + ").join(count.format(table) for table in tables)
        row = self._connection.execute(sql.SQL("SELECT {}").format(total)).fetchone()
        return int((row or (0,))[0])

    def _row(self, query: LiteralString, parameters: tuple[Any, ...] | None = None) -> Any:
        return self._connection.execute(query, parameters).fetchone()


def _batches(first: int, last: int, size: int) -> Iterator[tuple[int, int]]:
    for begin in range(first, last + 1, size):
        yield begin, min(begin + size - 1, last)


def _event_rows() -> Iterator[sql.Composed]:
    for producer in PRODUCERS.values():
        outbox = sql.Identifier(producer, "outbox")
        yield sql.SQL(events.OUTBOX).format(outbox=outbox, service=sql.Literal(producer))
    for consumer, types in CONSUMERS.items():
        inbox = sql.Identifier(consumer, "inbox")
        yield sql.SQL(events.INBOX).format(inbox=inbox, types=sql.Literal(list(types)))


def _hash() -> str:
    """As Auth hashes, so that a login needs no new hash."""
    made = argon2.using(type="ID", memory_cost=19 * 1024, rounds=2, parallelism=1)
    hashed: str = made.hash(PASSWORD)
    return hashed
