"""Every route of every service: what its OpenAPI document says, and no 5xx for anything sent."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.market import Market
from tests.support.people import Customer

Json = dict[str, Any]
SERVICES = ("auth", "catalog", "cart", "order", "payment", "shipping", "notifications")
AS_DOCKERS = "order"
ONE_ON_DOCKER = [
    name if name == AS_DOCKERS else pytest.param(name, marks=pytest.mark.local) for name in SERVICES
]
"""What the services answer to nonsense they answer in a container too; one shows that."""
ADMINS = {"auth", "catalog", "shipping"}
METHODS = {"get", "put", "post", "patch", "delete"}

MALFORMED: dict[str, bytes] = {
    "not JSON": b"{",
    "NaN": b'{"qty": NaN}',
    "infinity": b'{"qty": -Infinity}',
    "lone surrogate": b'{"title": "\\ud800"}',
    "broken UTF-8": b'{"title": "\xff\xfe"}',
    "NUL": b'{"title": "a\\u0000b", "email": "a\\u0000@example.com", "city": "\\u0000"}',
    "array": b"[]",
    "nested deep": b"[" * 100_000,
    "huge integer": b'{"product_id": ' + b"9" * 5000 + b"}",
    "number": b"1e400",
    "null": b"null",
}


async def _operations(api: httpx.AsyncClient, service: str) -> list[tuple[str, str, Json]]:
    document = (await api.get(f"/{service}/openapi.json")).json()
    return [
        (method.upper(), f"/{service}" + re.sub(r"{\w+}", "1", path), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


@pytest.fixture
def user(market: Market, customer: Customer, request: pytest.FixtureRequest) -> Customer:
    return market.admin if request.getfixturevalue("service") in ADMINS else customer


@pytest.mark.parametrize("service", ONE_ON_DOCKER)
async def test_malformed_json_is_a_readable_422_on_every_route(
    service: str, user: Customer, market: Market
) -> None:
    for method, path, operation in await _operations(market.api, service):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            continue
        for name, body in MALFORMED.items():
            headers = {"Content-Type": "application/json", **market.internal_key}
            response = await user.request(method, path, content=body, headers=headers)
            assert response.status_code in (404, 409, 422), f"{name}: {method} {path} {response}"
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["detail"]


@pytest.mark.parametrize("service", ONE_ON_DOCKER)
async def test_other_bodies_are_refused_on_every_route(
    service: str, user: Customer, market: Market
) -> None:
    for method, path, operation in await _operations(market.api, service):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            continue
        xml = {"Content-Type": "text/xml", **market.internal_key}
        response = await user.request(method, path, content=b"<a/>", headers=xml)
        assert response.status_code in (415, 422), f"{method} {path} {response}"
        json = {"Content-Type": "application/json", **market.internal_key}
        large = await user.request(method, path, content=b" " * 4_000_000, headers=json)
        assert large.status_code == 413, f"{method} {path} {large}"


@pytest.mark.parametrize("service", ONE_ON_DOCKER)
async def test_nothing_that_schemathesis_sends_is_a_5xx(
    service: str, user: Customer, market: Market, stack: Json
) -> None:
    """The port of the service itself: the gateway would refuse some spellings by itself."""
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run"),
        f"{stack['services'][service]['url']}/openapi.json",
        *("--checks", "not_a_server_error", "--max-examples", "12", "--seed", "1"),
        *("--phases", "examples,coverage,fuzzing", "--request-timeout", "15", "--warnings", "off"),
        *("--suppress-health-check", "all", "--no-color"),
        *("-H", f"Authorization: Bearer {user.token}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize("service", SERVICES)
async def test_the_docs_work_behind_the_prefix_and_without_the_internet(
    service: str, market: Market
) -> None:
    page = await market.api.get(f"/{service}/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/{service}/docs/assets/{asset}" in page.text
        assert (await market.api.get(f"/{service}/docs/assets/{asset}")).status_code == 200
    document = (await market.api.get(f"/{service}/openapi.json")).json()
    assert document["servers"] == [{"url": f"/{service}"}]


@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_says_who_and_how_it_is(service: str, market: Market) -> None:
    for slash in ("", "/"):
        health = (await market.api.get(f"/{service}/health{slash}")).json()
        assert (health["status"], health["service"]) == ("ok", service)
    assert (await market.api.get(f"/{service}/livez")).status_code == 200
    assert (await market.api.get(f"/{service}/v1/_info")).json()["service"] == service
    for hidden in ("metrics", "internal/x", "Internal/x", "%69nternal/x"):
        assert (await market.api.get(f"/{service}/{hidden}")).status_code in (400, 404)
