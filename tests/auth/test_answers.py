"""What Auth's answers carry besides, and how a session that has expired logs out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from tests.auth.doors import Json, login, new_session, refresh
from tests.support.people import PASSWORD, Customer

PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'


def _changed(token: str, stack: Json, **changes: Any) -> str:
    claims = jwt.decode(token, options={"verify_signature": False}) | changes
    return jwt.encode(claims, stack["env"]["JWT_SECRET"], algorithm="HS256")


@pytest.mark.filterwarnings("ignore:The HMAC key")
async def test_a_session_that_has_expired_can_log_out(api: httpx.AsyncClient, stack: Json) -> None:
    token = (await new_session(api))["refresh_token"]
    expired = _changed(token, stack, exp=1)
    assert (await refresh(api, expired)).status_code == 401
    for _ in range(2):
        answer = await api.post("/auth/logout", json={"refresh_token": expired})
        assert answer.status_code == 204
    assert (await refresh(api, token)).status_code == 401


@pytest.mark.filterwarnings("ignore:The HMAC key")
async def test_a_token_from_a_clock_that_is_ahead_is_fine(
    api: httpx.AsyncClient, stack: Json, customer: Customer
) -> None:
    soon = int((datetime.now(UTC) + timedelta(seconds=30)).timestamp())
    headers = {"Authorization": f"Bearer {_changed(customer.token, stack, iat=soon)}"}
    for door in ("/auth/me", "/order/v1/orders"):
        assert (await api.get(door, headers=headers)).status_code == 200


async def test_no_cache_keeps_tokens(api: httpx.AsyncClient, customer: Customer) -> None:
    session = await login(api, customer.email)
    form = {"username": customer.email, "password": PASSWORD}
    renewed = await refresh(api, session.json()["refresh_token"])
    for answer in (session, await api.post("/auth/token", data=form), renewed):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"


async def test_a_successor_that_was_used_itself_is_still_the_answer_within_the_grace(
    api: httpx.AsyncClient,
) -> None:
    """It leads no further than its own grace: then its reuse ends the session."""
    first = (await new_session(api))["refresh_token"]
    second = (await refresh(api, first)).json()["refresh_token"]
    third = (await refresh(api, second)).json()["refresh_token"]
    assert (await refresh(api, first)).json()["refresh_token"] == second
    assert (await refresh(api, second)).json()["refresh_token"] == third


async def test_authorize_in_the_docs_works_through_the_gateway(
    api: httpx.AsyncClient, customer: Customer
) -> None:
    page = (await api.get("/auth/docs")).text
    assert "/auth/openapi.json" in page
    assert "https://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/auth/docs/assets/{asset}" in page
        assert (await api.get(f"/auth/docs/assets/{asset}")).status_code == 200
    document = (await api.get("/auth/openapi.json")).json()
    schemes = document["components"]["securitySchemes"]
    [flow] = [s["flows"]["password"] for s in schemes.values() if s["type"] == "oauth2"]
    form = {"grant_type": "password", "username": customer.email, "password": PASSWORD}
    as_swagger_sends = {"Authorization": "Basic Og==", "X-Requested-With": "XMLHttpRequest"}
    answer = await api.post(flow["tokenUrl"], data=form, headers=as_swagger_sends)
    assert (answer.status_code, answer.json()["token_type"]) == (200, "bearer")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"--x", "multipart/form-data"),
        (PART * 1001, "multipart/form-data; boundary=x"),
        (b"a=&" * 2000, "application/x-www-form-urlencoded"),
    ],
)
async def test_a_form_that_does_not_parse_is_invalid(
    api: httpx.AsyncClient, content: bytes, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    answer = await api.post("/auth/token", content=content, headers=headers)
    assert answer.status_code == 422
    assert "not a valid form" in answer.json()["detail"]
