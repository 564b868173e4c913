"""Refresh tokens: they rotate, and the whole session ends with a reuse or a logout."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest

from tests.auth.doors import Json, login, new_session, refresh
from tests.support.database import Query
from tests.support.people import Customer
from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually


async def test_a_refresh_gives_a_new_pair(api: httpx.AsyncClient) -> None:
    session = await new_session(api)
    renewed = (await refresh(api, session["refresh_token"])).json()
    assert renewed["refresh_token"] != session["refresh_token"]
    again = await refresh(api, renewed["refresh_token"])
    assert again.status_code == 200


async def test_one_token_used_at_once_has_one_successor(api: httpx.AsyncClient) -> None:
    token = (await new_session(api))["refresh_token"]
    answers = await asyncio.gather(*(refresh(api, token) for _ in range(8)))
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["refresh_token"] for a in answers}) == 1
    assert (await refresh(api, answers[0].json()["refresh_token"])).status_code == 200


async def test_a_used_token_after_the_grace_ends_the_whole_family(
    api: httpx.AsyncClient, stack: Json
) -> None:
    token = (await new_session(api))["refresh_token"]
    async with ServiceProcess("auth", stack["env"], REFRESH_TOKEN_GRACE="0") as copy:
        successor = (await refresh(api, token, copy.url)).json()["refresh_token"]
        assert (await refresh(api, token, copy.url)).status_code == 401
        assert (await refresh(api, successor, copy.url)).status_code == 401
    assert (await refresh(api, successor)).status_code == 401


async def test_a_logout_ends_the_session_however_often_it_comes(api: httpx.AsyncClient) -> None:
    session = await new_session(api)
    renewed = (await refresh(api, session["refresh_token"])).json()
    body = {"refresh_token": renewed["refresh_token"]}
    for _ in range(2):
        response = await api.post("/auth/logout", json=body)
        assert (response.status_code, response.content) == (204, b"")
    for token in (session["refresh_token"], renewed["refresh_token"]):
        assert (await refresh(api, token)).status_code == 401


async def test_sessions_end_one_by_one(api: httpx.AsyncClient, customer: Customer) -> None:
    one = (await login(api, customer.email)).json()
    other = (await login(api, customer.email)).json()
    await api.post("/auth/logout", json={"refresh_token": one["refresh_token"]})
    assert (await refresh(api, other["refresh_token"])).status_code == 200


@pytest.mark.parametrize("path", ["refresh", "logout"])
async def test_what_is_no_refresh_token_is_refused(
    api: httpx.AsyncClient, customer: Customer, path: str
) -> None:
    for token in ("rubbish", "", customer.token, "\u00e9"):
        response = await api.post(f"/auth/{path}", json={"refresh_token": token})
        assert response.status_code == 401, token
    for body in ({}, {"refresh_token": 1}, {"refresh_token": "x" * 5000}):
        assert (await api.post(f"/auth/{path}", json=body)).status_code == 422


def _ids(token: str) -> tuple[str, str]:
    """(session, token)"""
    claims = jwt.decode(token, options={"verify_signature": False})
    return claims["family"], claims["jti"]


def _again(token: str, stack: Json, **changes: Any) -> str:
    """A token that Auth might have signed."""
    claims = jwt.decode(token, options={"verify_signature": False}) | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, stack["env"]["JWT_SECRET"], algorithm="HS256")


@pytest.mark.filterwarnings("ignore:The HMAC key")
async def test_a_signed_token_of_no_living_session_is_dead(
    api: httpx.AsyncClient, stack: Json
) -> None:
    token = (await new_session(api))["refresh_token"]
    other = (await new_session(api))["refresh_token"]
    odd: list[Json] = [
        {"exp": 1},
        {"type": "access"},
        {"jti": uuid4().hex},
        {"jti": "x"},
        {"family": uuid4().hex},
        {"family": _ids(other)[0]},
        {"family": None},
        {"family": 5},
    ]
    for changes in odd:
        assert (await refresh(api, _again(token, stack, **changes))).status_code == 401
    assert (await refresh(api, token)).status_code == 200


async def test_refreshes_and_a_logout_at_once_leave_no_session(api: httpx.AsyncClient) -> None:
    token = (await new_session(api))["refresh_token"]
    body = {"refresh_token": token}
    logout, *answers = await asyncio.gather(
        api.post("/auth/logout", json=body), *(refresh(api, token) for _ in range(6))
    )
    assert logout.status_code == 204
    assert {answer.status_code for answer in answers} <= {200, 401}
    pairs = [answer.json() for answer in answers if answer.status_code == 200]
    for dead in (token, *(pair["refresh_token"] for pair in pairs)):
        assert (await refresh(api, dead)).status_code == 401


async def test_a_session_that_goes_on_keeps_no_expired_tokens(
    api: httpx.AsyncClient, query: Query
) -> None:
    session = await new_session(api)
    for _ in range(3):
        session = (await refresh(api, session["refresh_token"])).json()
    family, current = _ids(session["refresh_token"])
    expire = "UPDATE auth.refresh_tokens SET expires_at = now() - interval '1 second'"
    await query(f"{expire} WHERE session_id = %s AND jti <> %s", family, current)
    session = (await refresh(api, session["refresh_token"])).json()
    count = "SELECT count(*) FROM auth.refresh_tokens WHERE session_id = %s"
    assert await query(count, family) == [(2,)]
    assert (await refresh(api, session["refresh_token"])).status_code == 200


async def test_a_session_whose_tokens_have_expired_is_forgotten(
    api: httpx.AsyncClient, query: Query, stack: Json
) -> None:
    families = [_ids((await new_session(api))["refresh_token"])[0] for _ in range(2)]
    expire = "UPDATE auth.sessions SET expires_at = now() - interval '1 second' WHERE id = %s"
    assert await query(f"{expire} RETURNING id", families[0])
    left = "SELECT id::text FROM auth.sessions WHERE id::text = ANY(%s)"
    kept = [(str(UUID(families[1])),)]
    async with ServiceProcess("auth", stack["env"]):

        async def forgotten() -> bool:
            return await query(left, [str(UUID(family)) for family in families]) == kept

        await eventually(forgotten, what="the expired session is gone")
