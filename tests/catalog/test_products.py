"""`/v1/products`: make, show and change one."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from .shop import Shop, product_body

UNKNOWN = 2**63 - 1


async def test_a_product_is_shown_as_it_was_made(shop: Shop) -> None:
    category = await shop.admin.post("/v1/categories", json={"name": str(uuid4())})
    body = product_body(title="  Grüner Becher ", category_id=category.json()["id"])
    made = await shop.admin.post("/v1/products/", json=body)
    assert made.status_code == 201
    shown = await shop.anyone.get(f"/v1/products/{made.json()['id']}")
    assert shown.json() == made.json()
    assert shown.json().items() >= {**body, "title": "Grüner Becher"}.items()
    assert shown.json().items() >= {"in_stock": 0, "available": 0, "image_url": None}.items()
    assert datetime.fromisoformat(shown.json()["created_at"]).tzinfo


async def test_description_category_and_active_can_be_left_out(shop: Shop) -> None:
    body = product_body()
    wanted = {name: body[name] for name in ("title", "price_cents", "currency", "sku")}
    made = await shop.admin.post("/v1/products", json=wanted)
    assert made.status_code == 201
    assert made.json().items() >= {"description": "", "category_id": None, "active": True}.items()


async def test_a_taken_sku_is_a_conflict(shop: Shop) -> None:
    first = await shop.make_product()
    again = await shop.admin.post("/v1/products", json=product_body(sku=first["sku"]))
    assert again.status_code == 409
    assert again.json()["code"] == "sku_taken"


async def test_no_such_category_is_not_found(shop: Shop) -> None:
    made = await shop.admin.post("/v1/products", json=product_body(category_id=UNKNOWN))
    assert made.status_code == 404
    assert made.json()["code"] == "category_not_found"


async def test_no_such_product_is_not_found(shop: Shop) -> None:
    response = await shop.anyone.get(f"/v1/products/{UNKNOWN}")
    assert response.status_code == 404
    assert response.json()["code"] == "product_not_found"


async def test_an_inactive_product_is_shown_by_its_id(shop: Shop) -> None:
    product = await shop.make_product(active=False)
    shown = await shop.anyone.get(f"/v1/products/{product['id']}")
    assert shown.json()["active"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"title": None},
        {"title": " "},
        {"title": "x" * 201},
        {"title": "a\x00b"},
        {"description": "x" * 10_001},
        {"price_cents": -1},
        {"price_cents": 10**9 + 1},
        {"price_cents": 10**30},
        {"price_cents": True},
        {"price_cents": 1.0},
        {"price_cents": "1"},
        {"currency": "usd"},
        {"currency": "XXZ"},
        {"sku": ""},
        {"sku": "x" * 65},
        {"category_id": 0},
        {"category_id": 2**63},
        {"category_id": "1"},
        {"active": 1},
        {"active": "true"},
    ],
    ids=str,
)
async def test_a_bad_field_is_refused_when_making_and_when_changing(
    shop: Shop, change: dict[str, Any]
) -> None:
    product = await _shared_product(shop)
    made = await shop.admin.post("/v1/products", json=product_body(**change))
    assert made.status_code == 422
    changed = await shop.admin.patch(f"/v1/products/{product}", json=change)
    assert changed.status_code == 422
    assert next(iter(change)) in changed.json()["detail"]


async def test_a_change_touches_only_what_is_sent(shop: Shop) -> None:
    product = await shop.make_product()
    change = {"title": "Red mug", "price_cents": 0, "active": False, "unknown": 1}
    changed = await shop.admin.patch(f"/v1/products/{product['id']}", json=change)
    del change["unknown"]
    assert changed.status_code == 200
    assert changed.json() == {**product, **change}
    assert (await shop.anyone.get(f"/v1/products/{product['id']}")).json() == changed.json()


async def test_a_change_of_nothing_changes_nothing(shop: Shop) -> None:
    product = await shop.make_product()
    changed = await shop.admin.patch(f"/v1/products/{product['id']}", json={})
    assert changed.status_code == 200
    assert changed.json() == product


async def test_a_category_can_be_taken_away(shop: Shop) -> None:
    category = await shop.admin.post("/v1/categories", json={"name": str(uuid4())})
    product = await shop.make_product(category_id=category.json()["id"])
    changed = await shop.admin.patch(f"/v1/products/{product['id']}", json={"category_id": None})
    assert changed.json()["category_id"] is None


async def test_a_change_to_a_taken_sku_is_a_conflict(shop: Shop) -> None:
    first, second = await shop.make_product(), await shop.make_product()
    path = f"/v1/products/{second['id']}"
    assert (await shop.admin.patch(path, json={"sku": first["sku"]})).status_code == 409
    assert (await shop.admin.patch(path, json={"sku": second["sku"]})).status_code == 200


async def test_a_change_of_what_is_not_there_is_not_found(shop: Shop) -> None:
    product = await _shared_product(shop)
    unknown = await shop.admin.patch(f"/v1/products/{UNKNOWN}", json={"title": "x"})
    assert unknown.status_code == 404
    category = await shop.admin.patch(f"/v1/products/{product}", json={"category_id": UNKNOWN})
    assert category.status_code == 404


async def test_only_an_admin_makes_and_changes_products(shop: Shop) -> None:
    product = await _shared_product(shop)
    for client, status in ((shop.anyone, 401), (shop.customer, 403)):
        assert (await client.post("/v1/products", content=b"{")).status_code == status
        assert (await client.patch(f"/v1/products/{product}", content=b"{")).status_code == status


@pytest.mark.parametrize("path_id", ["0", "-1", "x", "1.5", str(2**63), str(10**30), "1%00"])
async def test_an_id_that_is_none_is_refused(shop: Shop, path_id: str) -> None:
    for path in (f"/v1/products/{path_id}", f"/v1/inventory/{path_id}"):
        assert (await shop.anyone.get(path)).status_code in (400, 422)


_shared: list[int] = []


async def _shared_product(shop: Shop) -> int:
    """One that the test does not change."""
    if not _shared:
        _shared.append((await shop.make_product())["id"])
    return _shared[0]
