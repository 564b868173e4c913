"""What order.created, order.paid and order.cancelled do to a reservation and its stock."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from libs.events import EventData, encode

from .conftest import Publish, Query, eventually
from .shop import Shop, order_cancelled, order_created, order_paid

Told = Callable[..., Awaitable[None]]
Levels = tuple[int, int]

HELD, SOLD, FREE = (10, 3), (7, 0), (10, 0)


def new_order_id() -> int:
    """One that Order never gives: these orders exist in events only."""
    return random.randrange(10**12, 10**13)


@pytest.fixture
async def tell(shop: Shop, publish: Publish) -> Told:
    """Publish events of one order, and wait until Catalog has taken them all."""

    async def tell(*events: EventData | bytes) -> None:
        order_id = next(event.order_id for event in events if isinstance(event, EventData))
        [marker] = await shop.make_ids(1)
        last = order_paid(await shop.hold({marker: 1}), order_id)
        for event in (*events, last):
            value = event if isinstance(event, bytes) else encode(event, service="order")[1]
            await publish("order.events", value, key=str(order_id).encode())
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
    order_id = new_order_id()
    paid = order_paid(await shop.hold({product_id: 3}), order_id)
    value = encode(paid, service="order")[1]
    await tell(value, value, order_created(await shop.hold({product_id: 1}), order_id))
    assert await shop.stock(product_id) == (7, 1)


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
    assert await _dead_letters(query, other) == [f"{reservation_id} belongs to order"]


async def test_an_event_of_an_unknown_reservation_is_kept_as_a_dead_letter(
    tell: Told, query: Query
) -> None:
    unknown = order_paid(uuid4(), new_order_id())
    await tell(unknown)  # and the events behind it are taken
    assert await _dead_letters(query, unknown) == [f"no reservation {unknown.reservation_id}"]  # type: ignore[attr-defined]


async def _dead_letters(query: Query, event: EventData) -> list[str]:
    """The known part of the reasons of the dead letters of this order."""
    rows = await query(
        "SELECT headers ->> 'reason' FROM catalog.outbox"
        " WHERE type = 'dead-letter' AND key = convert_to(%s, 'UTF8')",
        str(event.order_id),
    )
    known = (r"\S+ belongs to order", r"no reservation \S+")
    return [_part(str(reason), known) for (reason,) in rows]


def _part(text: str, patterns: tuple[str, ...]) -> str:
    found = re.search("|".join(patterns), text)
    return found.group().rstrip(".") if found else text


async def test_reservations_beside_a_batch_of_events_never_wait_in_a_circle(
    shop: Shop, publish: Publish
) -> None:
    ids = await shop.make_ids(*[1000] * 4)

    def some() -> dict[int, int]:
        return dict.fromkeys(random.sample(ids, 3), 1)

    paid = await asyncio.gather(*(shop.hold(some()) for _ in range(60)))
    values = [encode(order_paid(id_, new_order_id()), service="order")[1] for id_ in paid]
    answers = await asyncio.gather(
        *(publish("order.events", value, key=str(n).encode()) for n, value in enumerate(values)),
        *(shop.reserve(some()) for _ in range(60)),
    )
    assert {answer.status_code for answer in answers if answer} == {201}

    async def settled() -> bool:
        levels = [await shop.stock(product_id) for product_id in ids]
        return (sum(level[0] for level in levels), sum(level[1] for level in levels)) == (
            4000 - 180,
            180,
        )

    await eventually(settled)
