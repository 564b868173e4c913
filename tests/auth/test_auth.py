"""Accounts and sessions, through the gateway."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import psutil
import pytest

from libs.config import ServiceSettings
from libs.security import encode_token
from tests.support.people import PASSWORD, Customer, make_customer
from tests.support.processes import ServiceProcess

Json = dict[str, Any]


def _email() -> str:
    return f"ann-{uuid4().hex[:10]}@example.com"


async def _register(api: httpx.AsyncClient, email: str, **changes: Any) -> httpx.Response:
    body = {"email": email, "password": PASSWORD, **changes}
    headers = body.pop("headers", {})
    return await api.post("/auth/register", json=body, headers=headers)


async def _login(api: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post("/auth/login", json={"email": email, "password": password})


async def _session(api: httpx.AsyncClient) -> Json:
    customer = await make_customer(api)
    session: Json = (await _login(api, customer.email)).json()
    return session


async def _refresh(api: httpx.AsyncClient, token: str, url: str = "/auth") -> httpx.Response:
    return await api.post(f"{url}/refresh", json={"refresh_token": token})


async def test_a_new_user_is_a_customer(api: httpx.AsyncClient) -> None:
    email = _email()
    response = await _register(api, email)
    assert response.status_code == 201
    user = response.json()
    assert user == {"id": user["id"], "email": email, "role": "customer"}


async def test_a_taken_email_is_a_conflict(api: httpx.AsyncClient) -> None:
    email = _email()
    await _register(api, email)
    again = await _register(api, email)
    assert (again.status_code, again.json()["detail"]) == (409, "Email already registered")


async def test_an_email_is_one_mailbox_however_it_is_spelled(api: httpx.AsyncClient) -> None:
    name = uuid4().hex[:10]
    spellings = [
        f"{name}@b\u00e9b\u00e9.example.com",
        f"  {name.upper()}@B\u00c9b\u00e9.Example.COM ",
        f"{name}@be\u0301be\u0301.example.com",
    ]
    answers = await asyncio.gather(*(_register(api, s) for s in spellings * 7))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 20
    assert (await _login(api, spellings[2])).status_code == 200


@pytest.mark.parametrize(
    "email", ["ann@demo.local", "ann@example.test", "ann@localhost.localdomain"]
)
async def test_demo_domains_are_fine(api: httpx.AsyncClient, email: str) -> None:
    response = await _register(api, f"{uuid4().hex[:8]}-{email}")
    assert response.status_code == 201, response.text


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "a b@example.com",
        "r\u00e9n\u00e9@example.com",
        "ann@example.com\r\nBcc: eve@example.com",
        "ann\u0000@example.com",
        "a" * 250 + "@example.com",
        '"ann"@example.com',
        "ann@[127.0.0.1]",
        5,
        None,
    ],
)
async def test_an_address_that_no_plain_server_takes_is_refused(
    api: httpx.AsyncClient, email: Any
) -> None:
    response = await _register(api, email)
    assert response.status_code == 422
    assert "email" in response.json()["detail"]
    if isinstance(email, str) and len(email) > 8:
        assert email not in response.text


@pytest.mark.parametrize("password", ["short12", "x" * 129, "", None, 12345678, "abcdefg\u0000"])
async def test_a_password_has_8_to_128_characters(api: httpx.AsyncClient, password: Any) -> None:
    for path in ("register", "login"):
        body = {"email": _email(), "password": password}
        response = await api.post(f"/auth/{path}", json=body)
        assert response.status_code == 422
        assert "password" in response.json()["detail"]
        if password:
            assert str(password) not in response.text


async def test_only_the_key_or_an_admin_makes_an_admin(
    api: httpx.AsyncClient, admin: Customer, customer: Customer, internal_key: dict[str, str]
) -> None:
    async def make(headers: dict[str, str]) -> int:
        answer = await _register(api, _email(), role="admin", headers=headers)
        return answer.status_code

    assert await make({}) == 403
    assert await make({"X-Internal-Key": "wrong"}) == 403
    assert await make({"Authorization": f"Bearer {customer.token}"}) == 403
    assert await make({"Authorization": "Bearer rubbish"}) == 401
    assert await make({"Authorization": f"Bearer {admin.token}"}) == 201
    assert await make(internal_key) == 201


async def test_an_unknown_role_is_refused(api: httpx.AsyncClient) -> None:
    assert (await _register(api, _email(), role="owner")).status_code == 422


async def test_a_login_gives_a_pair_of_tokens(api: httpx.AsyncClient) -> None:
    customer = await make_customer(api)
    session = (await _login(api, f" {customer.email.upper()} ")).json()
    assert set(session) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert session["token_type"] == "bearer"
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    assert set(claims) == {"sub", "email", "role", "type", "jti", "iat", "exp", "iss"}
    assert claims["exp"] - claims["iat"] == session["expires_in"]
    me = await api.get("/auth/me", headers={"Authorization": f"Bearer {session['access_token']}"})
    assert me.json() == {"id": customer.id, "email": customer.email, "role": "customer"}


async def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(
    api: httpx.AsyncClient, customer: Customer
) -> None:
    wrong = await _login(api, customer.email, "wrong password")
    unknown = await _login(api, _email(), "wrong password")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]


async def test_the_password_form_logs_in_for_the_docs(
    api: httpx.AsyncClient, customer: Customer
) -> None:
    form = {"grant_type": "password", "username": customer.email, "password": PASSWORD}
    response = await api.post("/auth/token", data=form)
    assert response.status_code == 200
    assert response.json()["access_token"]
    wrong = await api.post("/auth/token", data={**form, "password": "wrong password"})
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"username=%ff%fe&password=%00%00%00%00%00%00%00%00", "application/x-www-form-urlencoded"),
        (b"username=a&username=b&password=correct+horse", "application/x-www-form-urlencoded"),
        (b"--x\r\nrubbish", "multipart/form-data; boundary=x"),
        (b"--x", "multipart/form-data"),
        (b"{}", "application/json"),
        (b"&" * 20_000, "application/x-www-form-urlencoded"),
    ],
)
async def test_a_malformed_form_is_refused(
    api: httpx.AsyncClient, content: bytes, content_type: str
) -> None:
    headers = {"Content-Type": content_type}
    response = await api.post("/auth/token", content=content, headers=headers)
    assert response.status_code in (400, 401, 413, 415, 422), response.text
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_refresh_gives_a_new_pair(api: httpx.AsyncClient) -> None:
    session = await _session(api)
    renewed = (await _refresh(api, session["refresh_token"])).json()
    assert renewed["refresh_token"] != session["refresh_token"]
    again = await _refresh(api, renewed["refresh_token"])
    assert again.status_code == 200


async def test_one_token_used_at_once_has_one_successor(api: httpx.AsyncClient) -> None:
    token = (await _session(api))["refresh_token"]
    answers = await asyncio.gather(*(_refresh(api, token) for _ in range(8)))
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["refresh_token"] for a in answers}) == 1
    assert (await _refresh(api, answers[0].json()["refresh_token"])).status_code == 200


async def test_a_used_token_after_the_grace_ends_the_whole_family(
    api: httpx.AsyncClient, stack: Json
) -> None:
    token = (await _session(api))["refresh_token"]
    async with ServiceProcess("auth", stack["env"], REFRESH_TOKEN_GRACE="0") as copy:
        successor = (await _refresh(api, token, copy.url)).json()["refresh_token"]
        assert (await _refresh(api, token, copy.url)).status_code == 401
        assert (await _refresh(api, successor, copy.url)).status_code == 401
    assert (await _refresh(api, successor)).status_code == 401


async def test_a_logout_ends_the_session_however_often_it_comes(api: httpx.AsyncClient) -> None:
    session = await _session(api)
    renewed = (await _refresh(api, session["refresh_token"])).json()
    body = {"refresh_token": renewed["refresh_token"]}
    for _ in range(2):
        response = await api.post("/auth/logout", json=body)
        assert (response.status_code, response.content) == (204, b"")
    for token in (session["refresh_token"], renewed["refresh_token"]):
        assert (await _refresh(api, token)).status_code == 401


async def test_sessions_end_one_by_one(api: httpx.AsyncClient, customer: Customer) -> None:
    one = (await _login(api, customer.email)).json()
    other = (await _login(api, customer.email)).json()
    await api.post("/auth/logout", json={"refresh_token": one["refresh_token"]})
    assert (await _refresh(api, other["refresh_token"])).status_code == 200


@pytest.mark.parametrize("path", ["refresh", "logout"])
async def test_what_is_no_refresh_token_is_refused(
    api: httpx.AsyncClient, customer: Customer, path: str
) -> None:
    for token in ("rubbish", "", customer.token, "\u00e9"):
        response = await api.post(f"/auth/{path}", json={"refresh_token": token})
        assert response.status_code == 401, token
    for body in ({}, {"refresh_token": 1}, {"refresh_token": "x" * 5000}):
        assert (await api.post(f"/auth/{path}", json=body)).status_code == 422


def _forged(stack: Json, **changes: Any) -> str:
    now = datetime.now(UTC)
    claims = {
        "sub": "1",
        "email": "eve@example.com",
        "role": "admin",
        "type": "access",
        "jti": "x",
        "iat": now,
        "exp": now + timedelta(hours=1),
        "iss": "auth",
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return encode_token(ServiceSettings(JWT_SECRET=stack["env"]["JWT_SECRET"]), claims)


@pytest.mark.filterwarnings("ignore:The HMAC key")
async def test_only_tokens_of_ours_open_a_door(api: httpx.AsyncClient, stack: Json) -> None:
    past = datetime.now(UTC) - timedelta(seconds=5)
    unsigned = jwt.encode({"sub": "1", "role": "admin", "type": "access"}, None, algorithm="none")
    other = jwt.encode({"sub": "1", "role": "admin", "type": "access"}, "other", algorithm="HS256")
    bad = [
        unsigned,
        other,
        _forged(stack, exp=past),
        _forged(stack, type="refresh"),
        _forged(stack, iss="someone"),
        _forged(stack, role="root"),
        _forged(stack, sub="x"),
        _forged(stack, jti=None),
        _forged(stack, email=None),
        "a.b.c",
    ]
    for token in bad:
        for path in ("/auth/me", "/order/v1/orders", "/cart/v1/cart"):
            answer = await api.get(path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, (path, token)
            assert answer.headers["www-authenticate"] == "Bearer"
    for header in ("Basic x", "Bearer", "bearer  "):
        answer = await api.get("/order/v1/orders", headers={"Authorization": header.strip()})
        assert answer.status_code == 401
    good = {"Authorization": f"bearer {_forged(stack)}"}
    assert (await api.get("/order/v1/orders", headers=good)).status_code == 200


async def test_many_logins_at_once_leave_the_service_small_and_quick(
    api: httpx.AsyncClient, stack: Json
) -> None:
    """200 for unknown emails, half of which hang up."""
    process = psutil.Process(stack["services"]["auth"]["pid"])
    before = process.memory_info().rss

    url = stack["services"]["auth"]["url"]
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, limits=limits) as client:

        async def attempt(number: int) -> int:
            body = {"email": _email(), "password": PASSWORD}
            timeout = 0.3 if number % 2 else 60
            try:
                return (await client.post("/login", json=body, timeout=timeout)).status_code
            except httpx.TimeoutException:
                return 0

        attempts = asyncio.gather(*(attempt(number) for number in range(200)))
        while not attempts.done():
            assert (await api.get("/auth/health", timeout=5)).status_code == 200
            await asyncio.wait({attempts}, timeout=0.2)
        assert set(await attempts) <= {0, 401, 503}
    assert process.memory_info().rss - before < 100 * 1024 * 1024


async def test_no_password_is_in_the_logs(api: httpx.AsyncClient, stack: Json) -> None:
    secret = f"secret-{uuid4().hex}"
    await _register(api, _email(), password=secret)
    await _login(api, _email(), secret)
    await api.post("/auth/login", content=f'{{"password": "{secret}"'.encode())
    await api.post("/auth/token", data={"username": "x", "password": secret})
    assert _logs_with(secret, Path(stack["logs"])) == []


def _logs_with(text: str, folder: Path) -> list[Path]:
    logs = list(folder.glob("*.log"))
    assert logs
    return [log for log in logs if text in log.read_text(encoding="utf-8", errors="replace")]
