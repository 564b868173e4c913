"""Refresh tokens: they rotate, and the whole session ends with a reuse or a logout."""

import asyncio

import httpx
import pytest

from tests.auth.doors import Json, login, new_session, refresh
from tests.support.people import Customer
from tests.support.processes import ServiceProcess


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
