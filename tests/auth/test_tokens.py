"""Access tokens, as each service takes or refuses them."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from tests.auth.doors import Json, refresh
from tests.support.people import Customer

DOORS = ("/auth/me", "/order/v1/orders", "/cart/v1/cart", "/notifications/v1/notifications")

pytestmark = pytest.mark.filterwarnings("ignore:The HMAC key")


def _claims(**changes: Any) -> Json:
    """As Auth makes them; None leaves one out."""
    now = datetime.now(UTC)
    claims = {
        "sub": "1",
        "email": "eve@example.com",
        "role": "customer",
        "type": "access",
        "jti": "x",
        "iat": now,
        "exp": now + timedelta(hours=1),
        "iss": "auth",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def _signed(stack: Json, **changes: Any) -> str:
    return jwt.encode(_claims(**changes), stack["env"]["JWT_SECRET"], algorithm="HS256")


async def _statuses(api: httpx.AsyncClient, authorization: str) -> set[int]:
    headers = {"Authorization": authorization}
    answers = [await api.get(door, headers=headers) for door in DOORS]
    for answer in answers:
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"
    return {answer.status_code for answer in answers}


async def test_a_token_of_ours_opens_each_door(api: httpx.AsyncClient, stack: Json) -> None:
    for scheme in ("Bearer", "bearer"):
        assert await _statuses(api, f"{scheme} {_signed(stack)}") == {200}


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "refresh"},
        {"iss": "someone"},
        {"role": "root"},
        {"role": ["admin"]},
        {"sub": "x"},
        {"sub": "-1"},
        {"sub": "\u0661"},
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"exp": "never"},
        *({name: None} for name in ("sub", "email", "role", "type", "jti", "iat", "exp", "iss")),
    ],
)
async def test_a_token_with_odd_claims_opens_none(
    api: httpx.AsyncClient, stack: Json, changes: Json
) -> None:
    assert await _statuses(api, f"Bearer {_signed(stack, **changes)}") == {401}


async def test_a_token_that_is_signed_otherwise_opens_none(
    api: httpx.AsyncClient, stack: Json, customer: Customer
) -> None:
    secret, claims = stack["env"]["JWT_SECRET"], _claims()
    head, body, signature = customer.token.split(".")
    tokens = [
        jwt.encode(claims, None, algorithm="none"),
        jwt.encode(claims, "other", algorithm="HS256"),
        jwt.encode(claims, secret, algorithm="HS512"),
        f"{_unsigned_head()}.{body}.{signature}",
        f"{head}.{_as_admin(body)}.{signature}",
        f"{head}.{body}.",
    ]
    for token in tokens:
        assert await _statuses(api, f"Bearer {token}") == {401}


async def test_what_is_no_bearer_token_opens_none(
    api: httpx.AsyncClient, customer: Customer
) -> None:
    session = f"Basic {customer.token}"
    for header in ("Basic x", "Bearer", "Bearer a.b.c", "Bearer " + "x" * 5000, session):
        assert await _statuses(api, header) == {401}
    assert {(await api.get(door)).status_code for door in DOORS} == {401}


async def test_an_access_token_refreshes_nothing(
    api: httpx.AsyncClient, customer: Customer
) -> None:
    assert (await refresh(api, customer.token)).status_code == 401


def _unsigned_head() -> str:
    return _encode({"alg": "none", "typ": "JWT"})


def _as_admin(body: str) -> str:
    return _encode(json.loads(base64.urlsafe_b64decode(body + "==")) | {"role": "admin"})


def _encode(value: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
