"""Bodies and events that no neighbour should send."""

from uuid import uuid4

import pytest

from libs.events import OrderCreated, encode
from tests.support.kafka import EventLog
from tests.support.market import Market
from tests.support.waiting import eventually

from .made_up import SHIPMENTS, Shipping

BODIES = {
    "not JSON": b'{"email": "s3cret"',
    "broken UTF-8": b'{"email": "s3cret \xff\xfe"}',
    "NaN": b'{"order_id": NaN}',
    "Infinity": b'{"order_id": -Infinity}',
    "lone surrogate": b'{"email": "\\ud800"}',
    "deep": b'{"address":' + b"[" * 100_000,
    "an array": b"[]",
    "a string": b'"s3cret"',
    "null": b"null",
    "nothing": b"",
    "huge integer": b'{"order_id": 1' + b"0" * 5000 + b"}",
}


@pytest.mark.parametrize("path", ["", "/cancel"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_a_malformed_body_is_422(
    shipping: Shipping, market: Market, path: str, body: bytes
) -> None:
    headers = {"Content-Type": "application/json", **market.internal_key}
    url = f"{shipping.url}/internal/shipments{path}"
    answer = await market.api.post(url, content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "s3cret" not in answer.text


@pytest.mark.parametrize("path", ["", "/cancel"])
async def test_another_content_type_is_415_and_a_large_body_413(
    shipping: Shipping, market: Market, path: str
) -> None:
    url = f"{shipping.url}/internal/shipments{path}"
    plain = {"Content-Type": "text/plain", **market.internal_key}
    assert (await market.api.post(url, content=b"{}", headers=plain)).status_code == 415
    json = {"Content-Type": "application/json", **market.internal_key}
    large = await market.api.post(url, content=b" " * 2_000_000, headers=json)
    assert large.status_code == 413


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", SHIPMENTS), ("GET", f"{SHIPMENTS}/1/dispatch")]
)
async def test_another_method_is_405(market: Market, method: str, path: str) -> None:
    answer = await market.admin.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("field", ["order_id", "user_id"])
async def test_an_event_with_an_id_that_no_table_takes_is_a_dead_letter_and_blocks_nothing(
    shipping: Shipping, events: EventLog, field: str
) -> None:
    good, another, mark = shipping.order(), shipping.order(), uuid4().hex.encode()
    bad = OrderCreated.model_validate({**another.created().model_dump(), field: 10**30})
    await shipping.publish.raw(bad.topic, encode(bad, service="test")[1], key=mark)
    await shipping.take(good.created())

    async def dead() -> bool:
        letters = [r for r in await events.read() if r.key == mark and r.topic.endswith(".dlq")]
        return any(dict(r.headers).get("consumer") == b"shipping" for r in letters)

    await eventually(dead, what="a dead letter")
    assert await shipping.of(good) is not None
