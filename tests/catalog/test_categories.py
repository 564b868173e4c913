"""`/v1/categories`"""

import asyncio
from uuid import uuid4

import pytest

from .shop import Shop


async def test_an_admin_makes_a_category_and_everyone_sees_it(shop: Shop) -> None:
    name = f"Mugs {uuid4()}"
    made = await shop.admin.post("/v1/categories/", json={"name": name})
    assert made.status_code == 201
    assert set(made.json()) == {"id", "name"}
    listed = await shop.anyone.get("/v1/categories")
    assert made.json() in listed.json()


async def test_a_taken_name_is_a_conflict(shop: Shop) -> None:
    name = f"Mugs {uuid4()}"
    await shop.admin.post("/v1/categories", json={"name": name})
    again = await shop.admin.post("/v1/categories", json={"name": f" {name} "})
    assert again.status_code == 409
    assert again.json()["code"] == "category_taken"


async def test_of_ten_at_once_with_one_name_one_is_made(shop: Shop) -> None:
    name = f"Mugs {uuid4()}"
    calls = [shop.admin.post("/v1/categories", json={"name": name}) for _ in range(10)]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*calls))
    assert statuses == [201] + [409] * 9


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b", None, 1, ["a"]])
async def test_a_name_that_is_none_is_refused(shop: Shop, name: object) -> None:
    response = await shop.admin.post("/v1/categories", json={"name": name})
    assert response.status_code == 422


async def test_only_an_admin_makes_categories(shop: Shop) -> None:
    body = {"name": str(uuid4())}
    assert (await shop.anyone.post("/v1/categories", json=body)).status_code == 401
    assert (await shop.customer.post("/v1/categories", json=body)).status_code == 403
