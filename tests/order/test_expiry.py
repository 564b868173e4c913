"""Orders that nobody pays for, and those that somebody did."""

import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from tests.support.database import Query
from tests.support.market import Market
from tests.support.people import Customer
from tests.support.processes import APART, NOBODY, ServiceProcess
from tests.support.waiting import eventually

Json = dict[str, Any]
SOON = {"ORDER_PAYMENT_TTL": "0.5", **APART}


async def test_an_unpaid_order_is_cancelled_in_time(market: Market, stack: Json) -> None:
    buyer, product = await market.new_customer(), await market.make_product(stock=5)
    order = await market.place_order(buyer, product, 2)
    paid = await market.place_order(buyer, await market.make_product())
    assert (await market.pay(buyer, paid)).status_code == 201
    await market.wait_for_order(paid, "PAID")
    async with ServiceProcess("order", stack["env"], **SOON):
        await market.wait_for_order(order, "CANCELLED")
    await market.wait_for_stock(product, 5, 0)
    assert (await market.wait_for_order(paid, "PAID"))["status"] == "PAID"
    assert (await market.pay(buyer, order)).status_code == 409


async def test_a_payment_in_time_counts_though_the_broker_is_away(
    market: Market, stack: Json, product: Json
) -> None:
    buyer, broker = await market.new_customer(), stack["servers"]["kafka"]["pid"]
    paid = await market.place_order(buyer, product)
    os.kill(broker, signal.SIGSTOP)
    try:
        assert (await market.pay(buyer, paid)).status_code == 201
        unpaid = await market.place_order(buyer, product)
        async with ServiceProcess("order", stack["env"], **SOON):
            await market.wait_for_order(unpaid, "CANCELLED")  # it was the older one's turn before
    finally:
        os.kill(broker, signal.SIGCONT)
    await market.wait_for_order(paid, "PAID")
    payments = await buyer.get(f"/payment/v1/payments?order_id={paid['order_id']}")
    assert [p["status"] for p in payments.json()] == ["SUCCEEDED"]


async def test_no_order_expires_while_payment_is_away(
    market: Market, stack: Json, product: Json
) -> None:
    """A failed answer is no answer: Payment alone knows."""
    buyer = await market.new_customer()
    order = await market.place_order(buyer, product)
    away = {"PAYMENT_BASE": f"http://{NOBODY}"}
    async with ServiceProcess("order", stack["env"], **SOON, **away) as copy:
        path = f"{copy.url}/v1/orders/{order['order_id']}"

        async def waiting() -> bool:
            checks = (await market.api.get(f"{copy.url}/health")).json()["checks"]
            return "payment" in checks["loop expiry"] and checks["payment"] != "ok"

        await eventually(waiting, what="expiry waiting for Payment")
        assert (await buyer.get(path)).json()["status"] == "CREATED"
    assert (await market.pay(buyer, order)).status_code == 201


@asynccontextmanager
async def _unanswered(
    stack: Json, orders: Iterable[Json]
) -> AsyncIterator[psycopg.AsyncConnection]:
    """Payment gives no answer for these: somebody else holds their rows in the ledger."""
    plain = stack["postgres_dsn"].replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(plain) as holder:
        for order in orders:
            enter = "INSERT INTO payment.ledger_orders (order_id) VALUES (%s)"
            await holder.execute(enter, (order["order_id"],))
        yield holder


@asynccontextmanager
async def _paid_unheard(query: Query, buyer: Customer, number: int) -> AsyncIterator[list[int]]:
    """Orders of 20 minutes ago that are paid, and the event of it is late."""
    paid = await query(
        """INSERT INTO "order".orders (user_id, email, status, total_cents, currency,
             checkout_token, reservation_id, address_line1, address_line2, city, country,
             postcode, created_at)
           SELECT %s, %s, 'CREATED', 1, 'USD', gen_random_uuid()::text, gen_random_uuid(), 'a', '',
             'b', 'IE', 'c', now() - interval '20 minutes' FROM generate_series(1, %s)
           RETURNING id""",
        buyer.id,
        buyer.email,
        number,
    )
    ids = [row[0] for row in paid]
    await query(
        """INSERT INTO payment.payments (order_id, user_id, email, status, amount_cents, currency)
           SELECT unnest(%s::bigint[]), %s, %s, 'SUCCEEDED', 1, 'USD'""",
        ids,
        buyer.id,
        buyer.email,
    )
    try:
        yield ids
    finally:
        await query('DELETE FROM "order".orders WHERE id = ANY(%s)', ids)
        await query("DELETE FROM payment.payments WHERE order_id = ANY(%s)", ids)


async def _make_older(query: Query, orders: Iterable[Json]) -> None:
    aged = "UPDATE \"order\".orders SET created_at = now() - interval '25 min' WHERE id = ANY(%s)"
    await query(aged, [order["order_id"] for order in orders])


@pytest.mark.parametrize("number", [1, 4])
async def test_some_that_payment_gives_no_answer_for_keep_no_other_waiting(
    market: Market, stack: Json, product: Json, number: int
) -> None:
    buyer = await market.new_customer()
    *stuck, other = [await market.place_order(buyer, product) for _ in range(number + 1)]
    async with (
        _unanswered(stack, stuck) as holder,
        ServiceProcess("order", stack["env"], HTTP_TIMEOUT="0.5", **SOON),
    ):
        await market.wait_for_order(other, "CANCELLED")
        for order in stuck:
            assert (await market.wait_for_order(order, "CREATED"))["status"] == "CREATED"
        await holder.rollback()
        for order in stuck:
            await market.wait_for_order(order, "CANCELLED")


_HELD_UP = """
SELECT 1 FROM pg_stat_activity
WHERE %s = ANY(pg_blocking_pids(pid)) AND query_start > coalesce(%s, '-infinity'::timestamptz)"""


@pytest.mark.parametrize("between", [0, 55], ids=["in one batch", "in another batch"])
async def test_one_that_failed_once_has_its_turn_although_others_always_fail(
    market: Market, stack: Json, query: Query, product: Json, between: int
) -> None:
    """As many as end a sweep are stuck, and the one behind them is for its first try."""
    buyer = await market.new_customer()
    *stuck, other = [await market.place_order(buyer, product) for _ in range(4)]
    await _make_older(query, stuck)
    async with (
        _paid_unheard(query, buyer, between),
        _unanswered(stack, stuck) as holder,
        _unanswered(stack, [other]) as for_once,
        ServiceProcess("order", stack["env"], HTTP_TIMEOUT="1.5", **SOON),
    ):
        pid = for_once.info.backend_pid
        await eventually(lambda: query(_HELD_UP, pid, None), within=20, what="its first try")
        [[begin]] = await query("SELECT now()")
        pid = holder.info.backend_pid
        await eventually(lambda: query(_HELD_UP, pid, begin), what="the end of its first try")
        await for_once.rollback()
        await market.wait_for_order(other, "CANCELLED", within=20)
        await holder.rollback()


async def test_one_whose_row_is_locked_keeps_no_other_waiting(
    market: Market, stack: Json, product: Json
) -> None:
    buyer = await market.new_customer()
    stuck, other = [await market.place_order(buyer, product) for _ in range(2)]
    plain = stack["postgres_dsn"].replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(plain) as holder:
        await holder.execute(
            'SELECT 1 FROM "order".orders WHERE id = %s FOR UPDATE', (stuck["order_id"],)
        )
        async with ServiceProcess("order", stack["env"], DATABASE_STATEMENT_TIMEOUT="0.5", **SOON):
            await market.wait_for_order(other, "CANCELLED")
            assert (await market.wait_for_order(stuck, "CREATED"))["status"] == "CREATED"
            await holder.rollback()
            await market.wait_for_order(stuck, "CANCELLED")


async def test_paid_orders_whose_event_is_late_do_not_hold_up_the_others(
    market: Market, stack: Json, query: Query, product: Json
) -> None:
    """More of them than one batch of the sweep takes, among them some that always fail."""
    buyer = await market.new_customer()
    stuck = [await market.place_order(buyer, product) for _ in range(3)]
    await _make_older(query, stuck)
    async with _paid_unheard(query, buyer, 55) as ids, _unanswered(stack, stuck):
        unpaid = await market.place_order(buyer, product)
        async with ServiceProcess("order", stack["env"], HTTP_TIMEOUT="0.5", **SOON):
            await market.wait_for_order(unpaid, "CANCELLED")
        left = await query(
            'SELECT count(*) FROM "order".orders WHERE id = ANY(%s) AND status = %s', ids, "CREATED"
        )
        assert left[0][0] == 55


async def test_a_closed_order_takes_no_payment_and_a_paid_one_is_not_closed(
    market: Market, stack: Json, product: Json
) -> None:
    buyer = await market.new_customer()
    closed, paid = [await market.place_order(buyer, product) for _ in range(2)]
    assert (await market.pay(buyer, paid)).status_code == 201

    async def close(order: Json) -> int:
        url = f"{stack['services']['payment']['url']}/internal/orders/{order['order_id']}/close"
        return (await market.api.post(url, headers=market.internal_key)).status_code

    assert [await close(closed), await close(closed), await close(paid)] == [204, 204, 409]
    refused = await market.pay(buyer, closed)
    assert (refused.status_code, refused.json()["code"]) == (409, "order_cancelled")
