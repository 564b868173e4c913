"""Reservations whose order never came, with two replicas that sweep."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from .conftest import TTL_SECONDS, OwnCatalog, eventually
from .order_stub import OrderStub
from .shop import Shop


@pytest.fixture(autouse=True)
async def order(own_catalog: OwnCatalog) -> AsyncIterator[OrderStub]:
    stub = own_catalog.order
    await stub.start()
    yield stub
    await stub.stop()


@pytest.fixture
def shop(own_catalog: OwnCatalog) -> Shop:
    return own_catalog.shops[0]


async def _is(shop: Shop, product_id: int, levels: tuple[int, int]) -> bool:
    return await shop.stock(product_id) == levels


async def test_without_an_order_it_is_released_after_its_time(
    shop: Shop, order: OrderStub
) -> None:
    [product_id] = await shop.make_ids(10)
    started = asyncio.get_running_loop().time()
    reservation_id = await shop.hold({product_id: 3})
    await eventually(lambda: _is(shop, product_id, (10, 0)))
    assert asyncio.get_running_loop().time() - started >= TTL_SECONDS
    assert reservation_id in order.asked
    again = await shop.reserve({product_id: 3}, reservation_id=reservation_id)
    assert again.json()["code"] == "reservation_closed"


async def test_with_an_order_it_stays_held(shop: Shop, order: OrderStub) -> None:
    [product_id] = await shop.make_ids(10)
    reservation_id = UUID(int=1)
    order.orders[reservation_id] = 4711
    await shop.reserve({product_id: 3}, reservation_id=reservation_id)
    await eventually(lambda: _was_asked(order, reservation_id))

    async def belongs_to_the_order() -> bool:
        return (await shop.release(reservation_id)).json() == {"status": "HELD"}

    await eventually(belongs_to_the_order)
    assert await shop.stock(product_id) == (10, 3)


async def test_while_order_is_away_it_stays_held(shop: Shop, order: OrderStub) -> None:
    [product_id, other] = await shop.make_ids(10, 10)
    await order.stop()
    await shop.hold({product_id: 3})
    await asyncio.sleep(4 * TTL_SECONDS)  # that nothing happens can only be seen by waiting
    assert await shop.stock(product_id) == (10, 3)
    assert (await shop.anyone.get("/health")).json()["checks"]["loop sweeper"] == "ok"
    await order.start()
    await eventually(lambda: _is(shop, product_id, (10, 0)))
    assert await shop.stock(other) == (10, 0)


async def test_two_replicas_release_each_of_many_once(own_catalog: OwnCatalog) -> None:
    shop = own_catalog.shops[0]
    [product_id, kept] = await shop.make_ids(200, 5)
    await asyncio.gather(*(shop.hold({product_id: 1, kept: 0 + 1}) for _ in range(5)))
    await asyncio.gather(*(shop.hold({product_id: 1}) for _ in range(115)))
    await eventually(lambda: _is(shop, product_id, (200, 0)))
    assert await shop.stock(kept) == (5, 0)
    for replica in own_catalog.shops:
        assert (await replica.anyone.get("/health")).json()["checks"]["loop sweeper"] == "ok"


async def _was_asked(order: OrderStub, reservation_id: UUID) -> bool:
    return reservation_id in order.asked
