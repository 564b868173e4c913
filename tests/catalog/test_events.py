"""What order.created, order.paid and order.cancelled do to a reservation and its stock."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from libs.events import EventData
from tests.support.database import Query
from tests.support.kafka import Publisher
from tests.support.waiting import eventually

from .shop import Shop, order_cancelled, order_created, order_paid

Told = Callable[..., Awaitable[None]]
Levels = tuple[int, int]

HELD, SOLD, FREE = (10, 3), (7, 0), (10, 0)


def new_order_id() -> int:
    """One that Order never gives: these orders exist in events only."""
    return random.randrange(10**12, 10**13)


@pytest.fixture
async def tell(shop: Shop, publish: Publisher) -> Told:
    """Publish events of one order, and wait until Catalog has taken them all."""

    async def tell(*events: EventData, times: int = 1) -> None:
        [marker] = await shop.make_ids(1)
        last = order_paid(await shop.hold({marker: 1}), events[0].order_id)
        for event in events:
            await publish.event(event, times=times)
        await publish.event(last)
        await eventually(lambda: _is(shop, marker, (0, 0)))

    return tell


async def _is(shop: Shop, product_id: int, levels: Levels) -> bool:
    return await shop.stock(product_id) == levels


async def _after(shop: Shop, tell: Told, *events: Callable[[UUID, int], EventData]) -> Levels:
    """The levels of a product of which 10 were there and 3 reserved, after these events."""
    [product_id] = await shop.make_ids(10)
    reservation_id, order_id = await shop.hold({product_id: 3}), new_order_id()
    await tell(*(event(reservation_id, order_id) for event in events))
    return await shop.stock(product_id)


@pytest.mark.parametrize(
    ("events", "levels"),
    [
        ([order_created], HELD),
        ([order_paid], SOLD),
        ([order_cancelled], FREE),
        ([order_created, order_paid], SOLD),
        ([order_paid, order_created], SOLD),
        ([order_created, order_cancelled], FREE),
        ([order_cancelled, order_created], FREE),
        ([order_created, order_paid, order_cancelled], FREE),
        ([order_cancelled, order_paid, order_created], FREE),
        ([order_paid, order_cancelled, order_paid, order_cancelled], FREE),
        ([order_paid, order_paid], SOLD),
        ([order_cancelled, order_cancelled], FREE),
    ],
    ids=lambda value: (
        "-".join(event.__name__ for event in value) if isinstance(value, list) else ""
    ),
)
async def test_each_order_of_events(
    shop: Shop, tell: Told, events: list[Callable[[UUID, int], EventData]], levels: Levels
) -> None:
    assert await _after(shop, tell, *events) == levels


async def test_one_event_twice_takes_effect_once(shop: Shop, tell: Told) -> None:
    [product_id] = await shop.make_ids(10)
    for event in (order_paid, order_cancelled):
        await tell(event(await shop.hold({product_id: 3}), new_order_id()), times=3)
    assert await shop.stock(product_id) == SOLD


async def test_a_reservation_with_an_order_is_not_released(shop: Shop, tell: Told) -> None:
    [product_id] = await shop.make_ids(10)
    reservation_id = await shop.hold({product_id: 3})
    await tell(order_created(reservation_id, new_order_id()))
    assert (await shop.release(reservation_id)).json() == {"status": "HELD"}
    assert await shop.stock(product_id) == HELD


async def test_an_order_frees_the_request_key_for_the_next_one(shop: Shop, tell: Told) -> None:
    [product_id] = await shop.make_ids(10)
    key, first = uuid4(), uuid4()
    await shop.reserve({product_id: 3}, request_key=key, reservation_id=first)
    await tell(order_created(first, new_order_id()))
    again = await shop.reserve({product_id: 3}, request_key=key)
    assert again.json()["reservation_id"] != str(first)
    assert await shop.stock(product_id) == (10, 6)


async def test_a_sold_or_returned_reservation_is_closed(shop: Shop, tell: Told) -> None:
    [product_id] = await shop.make_ids(10)
    reservation_id, order_id = uuid4(), new_order_id()
    await shop.reserve({product_id: 3}, reservation_id=reservation_id)
    for event, status in ((order_paid, "SOLD"), (order_cancelled, "RETURNED")):
        await tell(event(reservation_id, order_id))
        again = await shop.reserve({product_id: 3}, reservation_id=reservation_id)
        assert again.json()["code"] == "reservation_closed"
        assert (await shop.release(reservation_id)).json() == {"status": status}


async def test_all_lines_of_a_reservation_change(shop: Shop, tell: Told) -> None:
    first, second = await shop.make_ids(5, 6)
    await tell(order_paid(await shop.hold({first: 5, second: 1}), new_order_id()))
    assert [await shop.stock(id_) for id_ in (first, second)] == [(0, 0), (5, 0)]


async def test_an_event_of_another_order_changes_nothing_and_is_kept_as_a_dead_letter(
    shop: Shop, tell: Told, query: Query
) -> None:
    [product_id] = await shop.make_ids(10)
    reservation_id = await shop.hold({product_id: 3})
    await tell(order_created(reservation_id, new_order_id()))
    other = order_cancelled(reservation_id, new_order_id())
    await tell(other)
    assert await shop.stock(product_id) == HELD
    [reason] = await _dead_letters(query, other)
    assert "belongs to order" in reason


async def test_an_event_of_an_unknown_reservation_is_kept_as_a_dead_letter(
    tell: Told, query: Query
) -> None:
    unknown = order_paid(uuid4(), new_order_id())
    await tell(unknown)  # and the events behind it are taken
    [reason] = await _dead_letters(query, unknown)
    assert "There is no reservation" in reason


async def _dead_letters(query: Query, event: EventData) -> list[str]:
    """The reasons of the dead letters of this order."""
    rows = await query(
        "SELECT headers ->> 'reason' FROM catalog.outbox"
        " WHERE type = 'dead-letter' AND key = convert_to(%s, 'UTF8')",
        str(event.order_id),
    )
    return [reason for (reason,) in rows]


async def test_reservations_beside_a_batch_of_events_never_wait_in_a_circle(
    shop: Shop, publish: Publisher
) -> None:
    ids = await shop.make_ids(*[1000] * 4)

    def some() -> dict[int, int]:
        return dict.fromkeys(random.sample(ids, 3), 1)

    paid = await asyncio.gather(*(shop.hold(some()) for _ in range(60)))
    answers, _ = await asyncio.gather(
        asyncio.gather(*(shop.reserve(some()) for _ in range(60))),
        asyncio.gather(*(publish.event(order_paid(id_, new_order_id())) for id_ in paid)),
    )
    assert {answer.status_code for answer in answers} == {201}

    async def are_settled() -> bool:
        in_stock, reserved = zip(*[await shop.stock(id_) for id_ in ids], strict=True)
        return (sum(in_stock), sum(reserved)) == (4000 - 180, 180)

    await eventually(are_settled)
