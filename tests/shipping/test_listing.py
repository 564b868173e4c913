"""The list of shipments, and what its routes refuse."""

import pytest

from tests.support.market import Market
from tests.support.people import Customer

from .made_up import SHIPMENTS, MadeUp, Shipping


async def test_the_list_is_ones_own_newest_first(shipping: Shipping, market: Market) -> None:
    buyer, other = await market.new_customer(), await market.new_customer()
    orders = [MadeUp(buyer) for _ in range(3)]
    for order in orders:
        await shipping.draft(order)
    listed = (await buyer.get(SHIPMENTS)).json()
    assert [s["order_id"] for s in listed] == [order.id for order in reversed(orders)]
    assert (await buyer.get(f"{SHIPMENTS}/?limit=2")).json() == listed[:2]
    assert (await other.get(SHIPMENTS)).json() == []


async def test_another_ones_order_is_an_empty_list_and_an_admin_sees_all(
    shipping: Shipping, market: Market
) -> None:
    buyer, other = await market.new_customer(), await market.new_customer()
    theirs, mine = MadeUp(buyer), MadeUp(other)
    for order in (theirs, mine):
        await shipping.draft(order)
    path = f"{SHIPMENTS}?order_id={theirs.id}"
    assert (await other.get(path)).json() == []
    assert [s["order_id"] for s in (await market.admin.get(path)).json()] == [theirs.id]
    newest = (await market.admin.get(f"{SHIPMENTS}?limit=2")).json()
    assert [s["order_id"] for s in newest] == [mine.id, theirs.id]


async def test_an_unknown_order_is_an_empty_list(customer: Customer) -> None:
    assert (await customer.get(f"{SHIPMENTS}?order_id={2**63 - 1}")).json() == []


async def test_the_routes_need_a_token_and_dispatch_an_admin(
    market: Market, customer: Customer
) -> None:
    assert (await market.api.get(f"{SHIPMENTS}?limit=0")).status_code == 401
    assert (await market.api.post(f"{SHIPMENTS}/x/dispatch")).status_code == 401
    assert (await customer.post(f"{SHIPMENTS}/1/dispatch")).status_code == 403
    assert (await customer.post(f"{SHIPMENTS}/x/dispatch")).status_code == 403


async def test_an_unknown_shipment_is_not_dispatched(market: Market) -> None:
    response = await market.admin.post(f"{SHIPMENTS}/{2**63 - 1}/dispatch")
    assert (response.status_code, response.json()["code"]) == (404, "shipment_not_found")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "order_id=x", "order_id=0", f"order_id={2**63}"]
)
async def test_a_bad_query_is_refused(customer: Customer, query: str) -> None:
    response = await customer.get(f"{SHIPMENTS}?{query}")
    assert response.status_code == 422
    assert query.partition("=")[0] in response.json()["detail"]


@pytest.mark.parametrize("shipment_id", ["0", "-1", "x", str(2**63), str(10**30), "1%00"])
async def test_a_bad_id_is_refused(shipping: Shipping, market: Market, shipment_id: str) -> None:
    url = f"{shipping.url}/v1/shipments/{shipment_id}/dispatch"  # the gateway refuses NUL itself
    assert (await market.admin.post(url)).status_code == 422
