"""Reservations whose order never came, with two replicas that sweep."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.support.waiting import eventually

from .order_stub import OrderStub
from .replicas import TTL_SECONDS, OwnCatalog
from .shop import Shop

_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'not this one'; END$$;
CREATE TRIGGER refuse BEFORE UPDATE ON catalog.reservations
FOR EACH ROW WHEN (OLD.id = '{id}') EXECUTE FUNCTION refuse()"""


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


async def test_without_an_order_it_is_released_after_its_time(shop: Shop, order: OrderStub) -> None:
    [product_id] = await shop.make_ids(10)
    started = asyncio.get_running_loop().time()
    reservation_id = await shop.hold({product_id: 3})
    await eventually(lambda: _is(shop, product_id, (10, 0)))
    assert asyncio.get_running_loop().time() - started >= TTL_SECONDS
    assert reservation_id in order.asked
    again = await shop.reserve({product_id: 3}, reservation_id=reservation_id)
    assert again.json()["code"] == "reservation_closed"


async def test_with_an_order_it_stays_held(
    own_catalog: OwnCatalog, shop: Shop, order: OrderStub
) -> None:
    [product_id] = await shop.make_ids(10)
    reservation_id = uuid4()
    order.orders[reservation_id] = 4711
    await shop.reserve({product_id: 3}, reservation_id=reservation_id)

    async def is_assigned() -> bool:
        found = "SELECT order_id FROM catalog.reservations WHERE id = %s"
        return await own_catalog.query(found, reservation_id) == [(4711,)]

    await eventually(is_assigned)
    assert (await shop.release(reservation_id)).json() == {"status": "HELD"}
    assert await shop.stock(product_id) == (10, 3)


async def test_while_order_is_away_it_stays_held(
    own_catalog: OwnCatalog, shop: Shop, order: OrderStub
) -> None:
    [product_id] = await shop.make_ids(10)
    await order.stop()
    await shop.hold({product_id: 3})
    await eventually(lambda: _waiting(own_catalog, 1))
    assert await shop.stock(product_id) == (10, 3)
    await order.start()
    await eventually(lambda: _is(shop, product_id, (10, 0)))


@pytest.mark.parametrize("failing", [1, 4])
async def test_some_that_order_fails_at_keep_no_other_waiting(
    own_catalog: OwnCatalog, shop: Shop, order: OrderStub, failing: int
) -> None:
    [product_id] = await shop.make_ids(10)
    failing_ids = {uuid4() for _ in range(failing)}
    order.failing |= failing_ids
    for reservation_id in failing_ids:
        await shop.hold({product_id: 1}, reservation_id=reservation_id)
    await shop.hold({product_id: 1})
    await eventually(lambda: _is(shop, product_id, (10, failing)))
    await eventually(lambda: _waiting(own_catalog, failing))
    order.failing.clear()
    await eventually(lambda: _is(shop, product_id, (10, 0)))


_HELD_LONG_AGO = """
INSERT INTO catalog.reservations (id, status, created_at)
SELECT unnest(%s::uuid[]), 'HELD', now() - interval '1 hour'"""


async def test_more_than_a_batch_that_order_fails_at_keep_no_other_waiting(
    own_catalog: OwnCatalog, shop: Shop, order: OrderStub
) -> None:
    """It has its turn when each of the older ones has failed once, and again after a failure."""
    [product_id] = await shop.make_ids(10)
    older, once = [uuid4() for _ in range(55)], uuid4()
    order.failing |= {*older, once}
    await own_catalog.query(_HELD_LONG_AGO, older)
    await shop.hold({product_id: 1}, reservation_id=once)

    async def failed_at_both() -> bool:
        return order.asked.count(once) >= len(own_catalog.shops)

    await eventually(failed_at_both, within=60)
    order.failing.discard(once)
    await eventually(lambda: _is(shop, product_id, (10, 0)), within=60)
    order.failing.clear()
    await eventually(lambda: _waiting(own_catalog, 0), within=60)


async def test_one_that_the_database_fails_at_keeps_no_other_waiting(
    own_catalog: OwnCatalog, shop: Shop
) -> None:
    [product_id] = await shop.make_ids(10)
    failing = uuid4()

    async def said() -> bool:
        answers = [(await shop.anyone.get("/health")).json() for shop in own_catalog.shops]
        return all("failing" in answer["checks"]["loop sweeper"] for answer in answers)

    await own_catalog.query(_REFUSE.format(id=failing))
    try:
        await shop.hold({product_id: 3}, reservation_id=failing)
        await shop.hold({product_id: 1})
        await eventually(lambda: _is(shop, product_id, (10, 3)))
        await eventually(said)
    finally:
        await own_catalog.query("DROP FUNCTION refuse CASCADE")
    await eventually(lambda: _is(shop, product_id, (10, 0)))


async def test_two_replicas_release_each_of_many_once(own_catalog: OwnCatalog) -> None:
    shop = own_catalog.shops[0]
    first, second = await shop.make_ids(200, 5)
    await asyncio.gather(*(shop.hold({first: 1, second: 1}) for _ in range(5)))
    await asyncio.gather(*(shop.hold({first: 1}) for _ in range(115)))
    await eventually(lambda: _is(shop, first, (200, 0)))
    assert await shop.stock(second) == (5, 0)
    await eventually(lambda: _waiting(own_catalog, 0))


async def _waiting(own_catalog: OwnCatalog, number: int) -> bool:
    """Each replica has so many left that it could not settle, and says what it waits for."""
    answers = [(await shop.anyone.get("/health")).json() for shop in own_catalog.shops]
    if any(
        ("order service" in answer["checks"]["loop sweeper"]) != bool(number) for answer in answers
    ):
        return False
    return all(answer["loops"]["sweeper"].get("waiting") == number for answer in answers)
