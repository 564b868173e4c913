"""Many at once, against a real Postgres."""

import asyncio
import random
from collections import Counter
from uuid import uuid4

from .shop import Shop


async def test_of_30_who_want_one_of_5_exactly_5_get_it(shop: Shop) -> None:
    [product_id] = await shop.make_ids(5)
    answers = await asyncio.gather(*(shop.reserve({product_id: 1}) for _ in range(30)))
    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: 25}
    assert await shop.stock(product_id) == (5, 5)


async def test_opposite_product_orders_do_not_wait_in_a_circle(shop: Shop) -> None:
    ids = await shop.make_ids(5, 5, 5)
    wanted = [dict.fromkeys(random.sample(ids, 3), 1) for _ in range(30)]
    answers = await asyncio.gather(*(shop.reserve(quantities) for quantities in wanted))
    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: 25}
    assert [await shop.stock(product_id) for product_id in ids] == [(5, 5)] * 3


async def test_two_tabs_with_one_request_key_hold_once(shop: Shop) -> None:
    [product_id] = await shop.make_ids(100)
    key = uuid4()
    calls = [shop.reserve({product_id: 3}, request_key=key) for _ in range(20)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["reservation_id"] for answer in answers}) == 1
    assert await shop.stock(product_id) == (100, 3)


async def test_one_reservation_id_at_once_holds_once(shop: Shop) -> None:
    [product_id] = await shop.make_ids(100)
    ids = {"reservation_id": uuid4(), "request_key": uuid4()}
    answers = await asyncio.gather(*(shop.reserve({product_id: 3}, **ids) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert await shop.stock(product_id) == (100, 3)


async def test_releases_at_once_free_once(shop: Shop) -> None:
    [product_id] = await shop.make_ids(10)
    await shop.hold({product_id: 4})
    reservation_id = await shop.hold({product_id: 3})
    answers = await asyncio.gather(*(shop.release(reservation_id) for _ in range(10)))
    assert {answer.json()["status"] for answer in answers} == {"RELEASED"}
    assert await shop.stock(product_id) == (10, 4)


async def test_a_release_beside_its_reservation_leaves_nothing_held(shop: Shop) -> None:
    [product_id] = await shop.make_ids(100)

    async def race() -> None:
        reservation_id = uuid4()
        held, released = await asyncio.gather(
            shop.reserve({product_id: 1}, reservation_id=reservation_id),
            shop.release(reservation_id),
        )
        assert held.status_code in (201, 409)
        assert released.json() == {"status": "RELEASED"}

    await asyncio.gather(*(race() for _ in range(15)))
    assert await shop.stock(product_id) == (100, 0)


async def test_of_ten_products_at_once_with_one_sku_one_is_made(shop: Shop) -> None:
    sku = uuid4().hex
    calls = [shop.make_product(sku=sku) for _ in range(10)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, dict) for result in results) == 1
