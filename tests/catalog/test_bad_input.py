"""Bodies that no client should send: a 4xx problem document that repeats none of them."""

from uuid import uuid4

import pytest

from .shop import Shop

ROUTES = [
    ("POST", "/v1/categories"),
    ("POST", "/v1/products"),
    ("PATCH", "/v1/products/1"),
    ("POST", "/v1/inventory/restock"),
]
BODIES = {
    "not JSON": b'{"title": "s3cret"',
    "broken UTF-8": b'{"title": "\xff\xfe"}',
    "NaN": b'{"price_cents": NaN}',
    "Infinity": b'{"price_cents": -Infinity}',
    "lone surrogate": b'{"title": "\\ud800"}',
    "deep": b'{"title":' + b"[" * 100_000,
    "an array": b"[]",
    "a string": b'"s3cret"',
    "null": b"null",
    "nothing": b"",
    "huge integer": b'{"price_cents": 1' + b"0" * 5000 + b"}",
}


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_a_malformed_body_is_422(shop: Shop, method: str, path: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json", **shop.key}
    answer = await shop.admin.request(method, path, content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "s3cret" not in answer.text


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_another_content_type_is_415_and_a_large_body_413(
    shop: Shop, method: str, path: str
) -> None:
    plain = {"Content-Type": "text/plain", **shop.key}
    answer = await shop.admin.request(method, path, content=b"{}", headers=plain)
    assert answer.status_code == 415
    json = {"Content-Type": "application/json", **shop.key}
    answer = await shop.admin.request(method, path, content=b" " * 2_000_000, headers=json)
    assert answer.status_code == 413


async def test_another_method_is_405(shop: Shop) -> None:
    assert (await shop.admin.delete("/v1/products/1")).status_code == 405
    assert (await shop.admin.get("/v1/inventory")).status_code in (404, 405)


@pytest.mark.parametrize("reservation_id", ["1", "x", str(uuid4()) + "0", "%00"])
async def test_a_reservation_id_that_is_none_is_422(shop: Shop, reservation_id: str) -> None:
    path = f"/internal/reservations/{reservation_id}/release"
    assert (await shop.internal.post(path)).status_code == 422
