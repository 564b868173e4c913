"""Request ids, problem documents, and what never gets into a log."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.market import Market
from tests.support.people import Customer

Json = dict[str, Any]


async def test_a_sane_request_id_is_kept_and_an_odd_one_replaced(api: httpx.AsyncClient) -> None:
    kept = await api.get("/order/livez", headers={"X-Request-ID": "abc-123"})
    assert kept.headers["x-request-id"] == "abc-123"
    for odd in ("", "x" * 200, "a b", "<script>"):
        answer = await api.get("/order/livez", headers={"X-Request-ID": odd})
        assert answer.headers["x-request-id"]
        assert answer.headers["x-request-id"] != odd


async def test_a_problem_document_has_all_its_fields(api: httpx.AsyncClient) -> None:
    answer = await api.get("/order/v1/orders/1", headers={"X-Request-ID": "abc-123"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:problem:unauthorized",
        "title": "Unauthorized",
        "status": 401,
        "detail": answer.json()["detail"],
        "instance": "/order/v1/orders/1",
        "code": "unauthorized",
        "request_id": "abc-123",
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/order/nowhere", 404),
        ("DELETE", "/order/v1/orders", 405),
        ("PUT", "/order/health", 405),
    ],
)
async def test_what_is_not_there_is_a_problem_document_too(
    api: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await api.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_openapi_tells_of_problem_documents(api: httpx.AsyncClient) -> None:
    paths = (await api.get("/payment/openapi.json")).json()["paths"]
    refused = paths["/v1/payments/mock-succeed"]["post"]["responses"]["4XX"]
    assert list(refused["content"]) == ["application/problem+json"]


async def test_the_input_is_in_no_error_and_no_log(
    market: Market, customer: Customer, stack: Json
) -> None:
    secret = f"secret-{uuid4().hex}"
    body = {"address_line1": secret, "city": secret * 9, "country": secret, "postcode": [secret]}
    answer = await customer.post("/order/v1/orders/checkout", json=body)
    assert answer.status_code == 422
    assert secret not in answer.text
    key = {"Idempotency-Key": f"{secret} {secret}"}
    answer = await market.checkout(customer, **key)
    assert answer.status_code == 422
    assert secret not in answer.text
    assert _logs_with(secret, Path(stack["logs"])) == []


def _logs_with(text: str, folder: Path) -> list[str]:
    logs = list(folder.glob("*.log"))
    assert logs
    return [log.name for log in logs if text in log.read_text(encoding="utf-8", errors="replace")]
