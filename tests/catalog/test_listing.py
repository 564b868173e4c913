"""`GET /v1/products`: search, filters, order and pages."""

import itertools
from typing import Any
from uuid import uuid4

import pytest

from .shop import Shop


async def find(shop: Shop, **query: Any) -> list[str]:
    """The titles of one page."""
    response = await shop.anyone.get("/v1/products", params=query)
    assert response.status_code == 200, response.text
    return [product["title"] for product in response.json()["items"]]


async def make_category(shop: Shop) -> int:
    response = await shop.admin.post("/v1/categories", json={"name": str(uuid4())})
    category_id: int = response.json()["id"]
    return category_id


async def test_a_page_says_how_many_there_are(shop: Shop) -> None:
    category_id = await make_category(shop)
    for _ in range(3):
        await shop.make_product(category_id=category_id)
    query = {"category_id": category_id, "limit": 2}
    first = (await shop.anyone.get("/v1/products/", params=query)).json()
    assert (len(first["items"]), first["total"], first["limit"], first["offset"]) == (2, 3, 2, 0)
    last = (await shop.anyone.get("/v1/products", params={**query, "offset": 2})).json()
    assert (len(last["items"]), last["total"], last["offset"]) == (1, 3, 2)
    beyond = (await shop.anyone.get("/v1/products", params={**query, "offset": 9})).json()
    assert (beyond["items"], beyond["total"]) == ([], 3)
    one = first["items"][0]
    assert one == (await shop.anyone.get(f"/v1/products/{one['id']}")).json()


async def test_an_inactive_product_is_not_listed(shop: Shop) -> None:
    category_id = await make_category(shop)
    product = await shop.make_product(category_id=category_id)
    await shop.admin.patch(f"/v1/products/{product['id']}", json={"active": False})
    assert await find(shop, category_id=category_id) == []


@pytest.mark.parametrize(
    ("title", "q"),
    [
        ("Café CRÈME", "fé crè"),
        ("Cafe\u0301 noir", "CAFÉ"),
        ("Große Straße", "STRASSE"),
        ("ÅNGSTRÖM", "ångström"),
        ("100% wool", "0% w"),
        ("snake_case", "e_c"),
        ("back\\slash", "k\\s"),
        ("fore/slash", "E/S"),
        ("it's [a] (b)*", "'s [a] (b)*"),
    ],
)
async def test_text_in_a_title_is_found_in_any_case(shop: Shop, title: str, q: str) -> None:
    category_id = await make_category(shop)
    product = await shop.make_product(category_id=category_id, title=title)
    assert await find(shop, category_id=category_id, q=q) == [product["title"]]


@pytest.mark.parametrize("q", ["%", "_", "b%m", "bl_e", "\\", "/", "mug "])
async def test_wildcards_are_literal(shop: Shop, q: str) -> None:
    category_id = await make_category(shop)
    await shop.make_product(category_id=category_id, title="Blue mug")
    assert await find(shop, category_id=category_id, q=q) == []


async def test_a_changed_title_is_found_and_the_old_one_is_not(shop: Shop) -> None:
    product = await shop.make_product(title=f"Old {uuid4()}")
    title = f"New {uuid4()}"
    await shop.admin.patch(f"/v1/products/{product['id']}", json={"title": title})
    assert await find(shop, q=title.upper()) == [title]
    assert await find(shop, q=product["title"]) == []


async def test_prices_are_inclusive(shop: Shop) -> None:
    category_id = await make_category(shop)
    for price in (100, 200, 300):
        await shop.make_product(category_id=category_id, title=str(price), price_cents=price)
    found = await find(shop, category_id=category_id, min_price=100, max_price=200, sort="price")
    assert found == ["100", "200"]
    assert await find(shop, category_id=category_id, min_price=301) == []
    assert await find(shop, category_id=category_id, min_price=300, max_price=100) == []


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("title", ["apple", "Banana", "cherry"]),
        ("-title", ["cherry", "Banana", "apple"]),
        ("price", ["cherry", "apple", "Banana"]),
        ("-price", ["Banana", "apple", "cherry"]),
        ("created", ["Banana", "cherry", "apple"]),
        ("-created", ["apple", "cherry", "Banana"]),
        (None, ["apple", "cherry", "Banana"]),
    ],
)
async def test_each_order(shop: Shop, fruits: int, sort: str | None, expected: list[str]) -> None:
    query = {"sort": sort} if sort else {}
    assert await find(shop, category_id=fruits, **query) == expected


@pytest.fixture(scope="session")
async def fruits(shop: Shop) -> int:
    category_id = await make_category(shop)
    for title, price in (("Banana", 300), ("cherry", 100), ("apple", 200)):
        await shop.make_product(category_id=category_id, title=title, price_cents=price)
    return category_id


async def test_pages_of_60_equal_prices_neither_repeat_nor_skip_while_rows_change(
    shop: Shop,
) -> None:
    category_id = await make_category(shop)
    made = [
        (await shop.make_product(category_id=category_id, title=f"Mug {number}"))["id"]
        for number in range(60)
    ]
    for sort in ("price", "-price"):
        seen: list[int] = []
        for offset in range(0, 60, 7):
            query = {"category_id": category_id, "sort": sort, "limit": 7, "offset": offset}
            page = (await shop.anyone.get("/v1/products", params=query)).json()
            seen += [product["id"] for product in page["items"]]
            for product_id in itertools.chain(made[offset : offset + 3], made[-2:]):
                change = {"description": f"Changed at {offset}"}
                await shop.admin.patch(f"/v1/products/{product_id}", json=change)
            await shop.make_product(category_id=category_id, title="A new one at the same price")
        assert [product_id for product_id in seen if product_id in made] == made
        assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    "query",
    [
        "sort=name",
        "sort=",
        "limit=0",
        "limit=101",
        "limit=x",
        "offset=-1",
        f"offset={2**63}",
        "min_price=-1",
        f"max_price={10**30}",
        "min_price=1.5",
        "category_id=0",
        f"category_id={2**63}",
        "q=%00",
        f"q={'x' * 201}",
    ],
)
async def test_a_bad_query_is_refused(shop: Shop, query: str) -> None:
    assert (await shop.anyone.get(f"/v1/products?{query}")).status_code == 422


@pytest.mark.parametrize(
    "query", ["q=%FF%FE", "q=%F0%9F%8D%B5", "unknown=1", "q=", f"offset={2**62}"]
)
async def test_an_odd_query_is_answered(shop: Shop, query: str) -> None:
    response = await shop.anyone.get(f"/v1/products?{query}")
    assert response.status_code == 200
