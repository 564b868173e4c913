"""Waits until everything that the flows have set off is done, as the database tells."""

import asyncio
import time

import psycopg
from psycopg import sql

from ..console import Console

LIMIT = 120.0
PAUSE = 0.1
# What is still to come, by name; each counts rows of the orders %(ids)s.
PENDING = {
    "orders not SHIPPED": 'SELECT count(*) FROM "order".orders'
    " WHERE id = ANY(%(ids)s) AND status <> 'SHIPPED'",
    "reservations not sold": "SELECT count(*) FROM catalog.reservations"
    " WHERE order_id = ANY(%(ids)s) AND status <> 'SOLD'",
    "mails not sent": "SELECT 3 * cardinality(%(ids)s::bigint[]) - count(*)"
    " FROM notifications.mails WHERE order_id = ANY(%(ids)s) AND sent_at IS NOT NULL",
}


async def drain(dsn: str, order_ids: list[int], console: Console) -> tuple[float | None, str]:
    """(seconds that it took, or None; what was left or why it is not known)."""
    started = time.monotonic()
    try:
        connection = await psycopg.AsyncConnection.connect(
            dsn.replace("+psycopg", "", 1), autocommit=True, connect_timeout=5
        )
        async with connection:
            while left := await _pending(connection, order_ids):
                if time.monotonic() - started > LIMIT:
                    return None, left
                console.progress(f"waiting for the rest: {left}")
                await asyncio.sleep(PAUSE)
    except psycopg.Error as error:
        return None, f"not known, the database says: {str(error).strip().splitlines()[0]}"
    return time.monotonic() - started, ""


async def _pending(connection: psycopg.AsyncConnection, order_ids: list[int]) -> str:
    counts = {name: sql.SQL(query).format() for name, query in PENDING.items()}
    counts |= {
        f"unpublished events of {schema}": sql.SQL(
            "SELECT count(*) FROM {} WHERE published_at IS NULL"
        ).format(sql.Identifier(schema, "outbox"))
        for schema in await _outboxes(connection)
    }
    left = []
    for name, query in counts.items():
        cursor = await connection.execute(query, {"ids": order_ids})
        row = await cursor.fetchone()
        if row and row[0]:
            left.append(f"{row[0]} {name}")
    return ", ".join(left)


async def _outboxes(connection: psycopg.AsyncConnection) -> list[str]:
    cursor = await connection.execute(
        "SELECT table_schema FROM information_schema.tables WHERE table_name = 'outbox'"
    )
    return [schema for (schema,) in await cursor.fetchall()]
