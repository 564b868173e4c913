"""Whatever happens in whatever order, the numbers add up."""

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.catalog.app.exceptions import ReservationOfAnotherOrder
from services.catalog.app.models import Reservation, ReservationStatus, StockEffect

from .shop import Shop

Action = Callable[[Reservation], StockEffect | None]

_ORDER, _OTHER_ORDER = 1, 2
_ACTIONS: dict[str, Action] = {
    "assign": lambda reservation: reservation.assign(_ORDER),
    "sell": lambda reservation: reservation.sell(_ORDER),
    "cancel": lambda reservation: reservation.cancel(_ORDER),
    "release": lambda reservation: reservation.release(),
}


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(sorted(_ACTIONS)))))
def test_stock_is_what_came_in_less_what_is_sold_and_reserved_is_what_is_held(
    happenings: list[tuple[int, str]],
) -> None:
    quantities = [1, 2, 4, 8]
    reservations = [Reservation(id=uuid4(), status=ReservationStatus.HELD) for _ in quantities]
    in_stock, reserved = 100, sum(quantities)
    for which, action in happenings:
        effect = _ACTIONS[action](reservations[which]) or StockEffect(0, 0)
        in_stock += effect.in_stock * quantities[which]
        reserved += effect.reserved * quantities[which]
        statuses = [reservation.status for reservation in reservations]
        assert in_stock == 100 - _total(quantities, statuses, ReservationStatus.SOLD)
        assert reserved == _total(quantities, statuses, ReservationStatus.HELD)
        assert 0 <= reserved <= in_stock


@given(st.lists(st.sampled_from(sorted(_ACTIONS)), max_size=6))
def test_a_final_state_stays(actions: list[str]) -> None:
    for final in (ReservationStatus.RELEASED, ReservationStatus.RETURNED):
        reservation = Reservation(id=uuid4(), status=final, order_id=_ORDER)
        for action in actions:
            assert not any(_ACTIONS[action](reservation) or ())
        assert reservation.status == final


@given(st.sampled_from(list(ReservationStatus)), st.sampled_from(["assign", "sell", "cancel"]))
def test_another_order_is_refused_in_every_state(status: ReservationStatus, action: str) -> None:
    reservation = Reservation(id=uuid4(), status=status, order_id=_OTHER_ORDER)
    try:
        _ACTIONS[action](reservation)
    except ReservationOfAnotherOrder:
        assert (reservation.status, reservation.order_id) == (status, _OTHER_ORDER)
    else:
        raise AssertionError("not refused")


_CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("restock"), st.integers(1, 5)),
        st.tuples(st.just("reserve"), st.integers(1, 5)),
        st.tuples(st.just("release"), st.integers(0, 5)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=_CALLS)
async def test_the_doors_keep_count_too(shop: Shop, calls: list[tuple[str, int]]) -> None:
    [product_id] = await shop.make_ids(0)
    made = 0
    held: dict[UUID, int] = {}
    for kind, number in calls:
        if kind == "restock":
            await shop.restock({product_id: number})
            made += number
        elif kind == "reserve":
            answer = await shop.reserve({product_id: number})
            fits = number <= made - sum(held.values())
            assert answer.status_code == (201 if fits else 409)
            if fits:
                held[UUID(answer.json()["reservation_id"])] = number
        elif held:
            reservation_id = list(held)[number % len(held)]
            await asyncio.gather(*(shop.release(reservation_id) for _ in range(2)))
            del held[reservation_id]
        assert await shop.stock(product_id) == (made, sum(held.values()))


def _total(quantities: list[int], statuses: list[str], status: ReservationStatus) -> int:
    return sum(qty for qty, each in zip(quantities, statuses, strict=True) if each == status)
