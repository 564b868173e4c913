"""A row that somebody has locked and does not let go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg

from tests.support.market import Market
from tests.support.people import Customer
from tests.support.processes import ServiceProcess

Json = dict[str, Any]
IMPATIENT = {"DATABASE_STATEMENT_TIMEOUT": "0.4", "DATABASE_POOL_SIZE": "3"}


@asynccontextmanager
async def locked(dsn: str, statement: str, *values: Any) -> AsyncIterator[None]:
    plain = dsn.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(plain) as connection:
        await connection.execute(statement, values)
        yield
        await connection.rollback()


async def test_a_payment_that_waits_for_a_held_lock_is_a_503_in_time_and_holds_up_nobody_else(
    market: Market, stack: Json, product: Json, postgres_dsn: str
) -> None:
    buyer = await market.new_customer()
    held, free = [await market.place_order(buyer, product) for _ in range(2)]
    lock = "INSERT INTO payment.ledger_orders (order_id) VALUES (%s)"
    async with ServiceProcess("payment", stack["env"], **IMPATIENT) as copy:
        async with locked(postgres_dsn, lock, held["order_id"]):
            for _ in range(2):
                refused = await _pay(copy, buyer, held)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
                assert refused.headers["content-type"] == "application/problem+json"
            assert (await _pay(copy, buyer, free)).status_code == 201
        assert (await _pay(copy, buyer, held)).status_code == 201
    for order in (held, free):
        await market.wait_for_order(order, "PAID")


async def _pay(copy: ServiceProcess, buyer: Customer, order: Json) -> httpx.Response:
    body = {
        "order_id": order["order_id"],
        "amount_cents": order["total_cents"],
        "currency": order["currency"],
    }
    return await buyer.post(f"{copy.url}/v1/payments/mock-succeed", json=body, timeout=3)
