"""`/internal/reservations` and `/internal/products`: what Order and Cart ask for."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from .shop import Shop, lines

UNKNOWN = 2**63 - 1


async def test_a_reservation_carries_names_and_prices_in_product_order(shop: Shop) -> None:
    first = await shop.make_product(stock=5, title="Blue mug", price_cents=1250)
    second = await shop.make_product(stock=5, title="Red mug", price_cents=0, currency="EUR")
    reservation_id = uuid4()
    answer = await shop.reserve({second["id"]: 1, first["id"]: 2}, reservation_id=reservation_id)
    assert answer.status_code == 201
    assert answer.json() == {
        "reservation_id": str(reservation_id),
        "items": [_line(first, 2), _line(second, 1)],
    }
    assert await shop.stock(first["id"]) == (5, 2)


async def test_a_product_named_twice_adds_up(shop: Shop) -> None:
    [product_id] = await shop.make_ids(5)
    items = lines({product_id: 2}) + lines({product_id: 1})
    answer = await _post(shop, items=items)
    assert [line["qty"] for line in answer.json()["items"]] == [3]
    assert await shop.stock(product_id) == (5, 3)


async def test_the_same_id_gets_the_same_answer_and_holds_once(shop: Shop) -> None:
    product = await shop.make_product(stock=5)
    ids = {"reservation_id": uuid4(), "request_key": uuid4()}
    first = await shop.reserve({product["id"]: 2}, **ids)
    await shop.admin.patch(f"/v1/products/{product['id']}", json={"price_cents": 1, "title": "x"})
    again = await shop.reserve({product["id"]: 2}, **ids)
    assert (again.status_code, again.json()) == (201, first.json())
    assert await shop.stock(product["id"]) == (5, 2)


async def test_an_open_request_key_is_answered_with_its_reservation(shop: Shop) -> None:
    [product_id] = await shop.make_ids(5)
    key = uuid4()
    first = await shop.reserve({product_id: 2}, request_key=key)
    again = await shop.reserve({product_id: 4}, request_key=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert await shop.stock(product_id) == (5, 2)


async def test_a_released_request_key_can_be_used_again(shop: Shop) -> None:
    [product_id] = await shop.make_ids(5)
    key, first = uuid4(), uuid4()
    await shop.reserve({product_id: 2}, request_key=key, reservation_id=first)
    await shop.release(first)
    again = await shop.reserve({product_id: 4}, request_key=key)
    assert again.json()["reservation_id"] != str(first)
    assert await shop.stock(product_id) == (5, 4)


async def test_short_stock_names_the_products_and_holds_nothing(shop: Shop) -> None:
    enough = await shop.make_product(stock=9)
    short = await shop.make_product(stock=3, title="Blue mug")
    none = await shop.make_product(title="Red mug")
    answer = await shop.reserve({enough["id"]: 9, none["id"]: 1, short["id"]: 4})
    assert answer.status_code == 409
    assert answer.json()["code"] == "insufficient_stock"
    assert "Blue mug (3 left), Red mug (0 left)" in answer.json()["detail"]
    assert answer.json()["short"] == [
        {"product_id": short["id"], "title": "Blue mug", "wanted": 4, "available": 3},
        {"product_id": none["id"], "title": "Red mug", "wanted": 1, "available": 0},
    ]
    assert await shop.stock(enough["id"]) == (9, 0)


async def test_a_refused_reservation_can_be_asked_for_again(shop: Shop) -> None:
    [product_id] = await shop.make_ids(1)
    ids = {"reservation_id": uuid4(), "request_key": uuid4()}
    assert (await shop.reserve({product_id: 2}, **ids)).status_code == 409
    await shop.restock({product_id: 1})
    assert (await shop.reserve({product_id: 2}, **ids)).status_code == 201


async def test_a_withdrawn_product_is_named(shop: Shop) -> None:
    offered = await shop.make_product(stock=5)
    withdrawn = await shop.make_product(stock=5, title="Old mug", active=False)
    answer = await shop.reserve({offered["id"]: 1, withdrawn["id"]: 1, UNKNOWN: 1})
    assert answer.status_code == 409
    assert answer.json()["code"] == "product_withdrawn"
    assert f"Old mug, product {UNKNOWN}" in answer.json()["detail"]
    assert await shop.stock(offered["id"]) == (5, 0)


async def test_a_release_frees_the_goods_once(shop: Shop) -> None:
    first, second = await shop.make_ids(5, 5)
    reservation_id = await shop.hold({first: 2, second: 5})
    for _ in range(2):
        answer = await shop.release(reservation_id)
        assert (answer.status_code, answer.json()) == (200, {"status": "RELEASED"})
        assert await shop.stock(first) == await shop.stock(second) == (5, 0)


async def test_a_released_reservation_is_closed(shop: Shop) -> None:
    [product_id] = await shop.make_ids(5)
    ids = {"reservation_id": uuid4(), "request_key": uuid4()}
    await shop.reserve({product_id: 2}, **ids)
    await shop.release(ids["reservation_id"])
    answer = await shop.reserve({product_id: 2}, **ids)
    assert answer.status_code == 409
    assert answer.json()["code"] == "reservation_closed"
    assert await shop.stock(product_id) == (5, 0)


async def test_a_release_that_comes_first_closes_the_id(shop: Shop) -> None:
    [product_id] = await shop.make_ids(5)
    reservation_id = uuid4()
    assert (await shop.release(reservation_id)).json() == {"status": "RELEASED"}
    answer = await shop.reserve({product_id: 2}, reservation_id=reservation_id)
    assert answer.json()["code"] == "reservation_closed"
    assert await shop.stock(product_id) == (5, 0)


async def test_a_restock_keeps_what_is_reserved(shop: Shop) -> None:
    [product_id] = await shop.make_ids(5)
    await shop.hold({product_id: 5})
    await shop.restock({product_id: 1})
    assert await shop.stock(product_id) == (6, 5)


async def test_product_summaries_leave_out_what_is_unknown(shop: Shop) -> None:
    first = await shop.make_product(stock=5)
    second = await shop.make_product(active=False)
    await shop.hold({first["id"]: 2})
    ids = [second["id"], UNKNOWN, first["id"], first["id"]]
    answer = await shop.internal.get("/internal/products", params={"ids": ids})
    assert answer.json() == {"products": [_summary(first, 3), _summary(second, 0)]}


@pytest.mark.parametrize("ids", [[], [0], ["x"], [2**63], list(range(1, 102))], ids=str)
async def test_bad_ids_are_refused(shop: Shop, ids: list[Any]) -> None:
    answer = await shop.internal.get("/internal/products", params={"ids": ids})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"reservation_id": "x"},
        {"request_key": None},
        {"items": []},
        {"items": [{"product_id": 1, "qty": 0}]},
        {"items": [{"product_id": 1, "qty": 10**6 + 1}]},
        {"items": [{"product_id": 1, "qty": 1}] * 101},
    ],
    ids=lambda change: str(change)[:50],
)
async def test_a_bad_reservation_is_refused(shop: Shop, change: dict[str, Any]) -> None:
    assert (await _post(shop, **change)).status_code == 422


async def test_internal_calls_need_the_key(shop: Shop) -> None:
    for headers in ({"X-Internal-Key": ""}, {"X-Internal-Key": "wrong"}):
        for method, path in (
            ("GET", "/internal/products?ids=1"),
            ("POST", "/internal/reservations"),
            ("POST", f"/internal/reservations/{uuid4()}/release"),
        ):
            answer = await shop.internal.request(method, path, headers=headers)
            assert answer.status_code == 403


async def test_internal_calls_are_not_behind_the_gateway(shop: Shop) -> None:
    answer = await shop.admin.get("/internal/products?ids=1", headers=shop.key)
    assert answer.status_code == 404


async def _post(shop: Shop, **fields: Any) -> httpx.Response:
    body = {
        "reservation_id": str(uuid4()),
        "request_key": str(uuid4()),
        "items": lines({1: 1}),
        **fields,
    }
    return await shop.internal.post("/internal/reservations", json=body)


def _line(product: dict[str, Any], qty: int) -> dict[str, Any]:
    return {
        "product_id": product["id"],
        "title": product["title"],
        "qty": qty,
        "unit_price_cents": product["price_cents"],
        "currency": product["currency"],
    }


def _summary(product: dict[str, Any], available: int) -> dict[str, Any]:
    names = ("id", "title", "price_cents", "currency", "active")
    return {**{name: product[name] for name in names}, "available": available}
