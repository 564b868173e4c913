"""Whether what was answered with a 2xx is still true."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

from .calls import Caller, Tally
from .client import BrokenPromise, Client, GaveUp
from .memory import Memory, Purchase
from .shop import Shop

_AT_ONCE = 6
_LIMIT = 60.0


async def find_lost(shop: Shop, memory: Memory, progress: Callable[[int], None]) -> list[str]:
    """A line for each promise that does not hold."""
    waiting = list(memory.purchases.values())
    lost: list[str] = []

    async def work(caller: Caller) -> None:
        while waiting:
            purchase = waiting.pop()
            lost.extend(await _check(caller, purchase))
            progress(len(waiting))

    async with aclosing(Caller(shop.target.gateway, Tally())) as caller:
        await asyncio.gather(*(work(caller) for _ in range(_AT_ONCE)))
    return lost


async def _check(caller: Caller, purchase: Purchase) -> list[str]:
    client = Client(caller, purchase.customer, random.Random(purchase.order_id))
    client.deadline = time.monotonic() + _LIMIT
    by_order = f"?order_id={purchase.order_id}&limit=100"
    try:
        if purchase.customer.is_due:
            await client.log_in(purchase.customer)
        order = await client.expect("GET", f"/order/v1/orders/{purchase.order_id}")
        payments = await client.expect("GET", f"/payment/v1/payments{by_order}")
        shipments = await client.expect("GET", f"/shipping/v1/shipments{by_order}")
    except (BrokenPromise, GaveUp) as error:
        return [f"order {purchase.order_id}: {error}"]
    said = (
        *_order(purchase, order),
        *_payments(purchase, order, payments),
        *_shipments(purchase, order, shipments),
    )
    return [f"order {purchase.order_id}: {text}" for text in said]


def _order(purchase: Purchase, order: dict[str, Any]) -> Iterator[str]:
    if (order["total_cents"], order["currency"]) != (purchase.total_cents, purchase.currency):
        yield f"answered {purchase.total_cents} cents, is {order['total_cents']}"
    if order["status"] not in (expected := _statuses(purchase)):
        yield f"is {order['status']}, not {' or '.join(sorted(expected))}"


def _statuses(purchase: Purchase) -> set[str]:
    if purchase.cancelled:
        return {"CANCELLED"}
    if purchase.tracking_number:
        return {"SHIPPED"}
    paid = {"PAID", "SHIPPED"} if "dispatch" in purchase.tried else {"PAID"}
    if purchase.is_paid:
        return paid | ({"CANCELLED"} if "cancel" in purchase.tried else set())
    unpaid = {"CREATED", "CANCELLED"}  # the shop itself cancels what nobody pays for
    return unpaid | (paid if "mock-succeed" in purchase.tried else set())


def _payments(
    purchase: Purchase, order: dict[str, Any], payments: list[dict[str, Any]]
) -> Iterator[str]:
    found = {int(payment["id"]): str(payment["status"]) for payment in payments}
    paid = "REFUNDED" if order["status"] == "CANCELLED" else "SUCCEEDED"
    for number, answered in purchase.payments.items():
        expected = paid if answered == "SUCCEEDED" else answered
        if found.get(number) != expected:
            yield f"payment {number} is {found.get(number, 'gone')}, not {expected}"
    if sum(status != "FAILED" for status in found.values()) > 1:
        yield f"was paid more than once: {found}"


def _shipments(
    purchase: Purchase, order: dict[str, Any], shipments: list[dict[str, Any]]
) -> Iterator[str]:
    if len(shipments) != 1:
        yield f"has {len(shipments)} shipments"
        return
    shipment = shipments[0]
    expected = {
        "CREATED": {"PENDING_PAYMENT"},
        "PAID": {"READY_TO_SHIP"},
        "SHIPPED": {"DISPATCHED"},
        "CANCELLED": {"CANCELLED"},
    }[order["status"]]
    if shipment["status"] not in expected:
        yield f"is {order['status']}, its shipment {shipment['status']}"
    if purchase.tracking_number not in ("", shipment["tracking_number"]):
        yield f"tracking number {purchase.tracking_number} became {shipment['tracking_number']}"
