"""`/v1/inventory`: restock and levels."""

import asyncio
from typing import Any

import pytest

from .shop import Shop, lines

UNKNOWN = 2**63 - 1


async def post_restock(shop: Shop, items: Any) -> Any:
    return await shop.admin.post("/v1/inventory/restock", json={"items": items}, headers=shop.key)


async def test_a_restock_answers_with_the_new_levels_in_the_order_asked(shop: Shop) -> None:
    first, second = await shop.make_ids(1, 0)
    answer = await shop.restock({second: 7, first: 2})
    assert answer == {
        "items": [
            {"product_id": second, "in_stock": 7, "reserved": 0, "available": 7},
            {"product_id": first, "in_stock": 3, "reserved": 0, "available": 3},
        ]
    }


async def test_what_is_reserved_is_in_stock_but_not_available(shop: Shop) -> None:
    [product_id] = await shop.make_ids(5)
    await shop.hold({product_id: 2})
    level = (await shop.anyone.get(f"/v1/inventory/{product_id}")).json()
    assert level == {"product_id": product_id, "in_stock": 5, "reserved": 2, "available": 3}
    product = (await shop.anyone.get(f"/v1/products/{product_id}")).json()
    assert (product["in_stock"], product["available"]) == (5, 3)


async def test_a_product_named_twice_adds_up(shop: Shop) -> None:
    [product_id] = await shop.make_ids(0)
    answer = await post_restock(shop, lines({product_id: 2}) + lines({product_id: 3}))
    assert [item["in_stock"] for item in answer.json()["items"]] == [5]


async def test_an_unknown_product_refuses_the_whole_restock(shop: Shop) -> None:
    [product_id] = await shop.make_ids(1)
    answer = await post_restock(shop, lines({product_id: 5, UNKNOWN: 5}))
    assert answer.status_code == 404
    assert await shop.stock(product_id) == (1, 0)
    assert (await shop.anyone.get(f"/v1/inventory/{UNKNOWN}")).status_code == 404


async def test_stock_is_bounded(shop: Shop) -> None:
    [product_id] = await shop.make_ids(0)
    most = [{"product_id": product_id, "qty": 10**6}] * 100
    for _ in range(10):
        assert (await post_restock(shop, most)).status_code == 200
    refused = await post_restock(shop, lines({product_id: 1}))
    assert refused.status_code == 409
    assert refused.json()["code"] == "stock_limit"
    assert await shop.stock(product_id) == (10**9, 0)


async def test_restocks_at_once_and_in_opposite_orders_all_count(shop: Shop) -> None:
    first, second = await shop.make_ids(0, 0)
    forth, back = lines({first: 1, second: 1}), lines({second: 1, first: 1})
    answers = await asyncio.gather(*(post_restock(shop, items) for items in [forth, back] * 10))
    assert {answer.status_code for answer in answers} == {200}
    assert await shop.stock(first) == await shop.stock(second) == (20, 0)


@pytest.mark.parametrize(
    "items",
    [
        [],
        {},
        None,
        [{"product_id": 1}],
        [{"product_id": 1, "qty": 0}],
        [{"product_id": 1, "qty": -1}],
        [{"product_id": 1, "qty": 10**6 + 1}],
        [{"product_id": 1, "qty": True}],
        [{"product_id": 1, "qty": 1.0}],
        [{"product_id": 2**63, "qty": 1}],
        [{"product_id": "1", "qty": 1}],
        [{"product_id": 1, "qty": 1}] * 101,
    ],
    ids=lambda items: str(items)[:50],
)
async def test_a_bad_restock_is_refused(shop: Shop, items: Any) -> None:
    assert (await post_restock(shop, items)).status_code == 422


async def test_a_restock_needs_an_admin_and_the_internal_key(shop: Shop) -> None:
    async def status(client: Any, headers: dict[str, str]) -> int:
        response = await client.post("/v1/inventory/restock", content=b"{", headers=headers)
        return int(response.status_code)

    assert await status(shop.anyone, {}) == 401
    assert await status(shop.anyone, shop.key) == 401
    assert await status(shop.customer, shop.key) == 403
    assert await status(shop.admin, {}) == 403
    assert await status(shop.admin, {"X-Internal-Key": "wrong"}) == 403
