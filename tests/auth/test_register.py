"""Who can register, with which addresses and passwords."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.auth.doors import login, new_email, register
from tests.support.people import PASSWORD, Customer

FORM = "application/x-www-form-urlencoded"


async def test_a_new_user_is_a_customer(api: httpx.AsyncClient) -> None:
    email = new_email()
    response = await register(api, email)
    assert response.status_code == 201
    user = response.json()
    assert user == {"id": user["id"], "email": email, "role": "customer"}


async def test_a_taken_email_is_a_conflict(api: httpx.AsyncClient) -> None:
    email = new_email()
    await register(api, email)
    again = await register(api, email)
    assert (again.status_code, again.json()["detail"]) == (409, "Email already registered")


async def test_an_email_is_one_mailbox_however_it_is_spelled(api: httpx.AsyncClient) -> None:
    name = uuid4().hex[:10]
    spellings = [
        f"{name}@b\u00e9b\u00e9.example.com",
        f"  {name.upper()}@B\u00c9b\u00e9.Example.COM ",
        f"{name}@be\u0301be\u0301.example.com",
        f"{name}@xn--bb-bjab.example.com",
    ]
    answers = await asyncio.gather(*(register(api, s) for s in spellings * 5))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 19
    assert (await login(api, spellings[2])).status_code == 200


@pytest.mark.parametrize(
    "email", ["ann@demo.local", "ann@example.test", "ann@localhost.localdomain"]
)
async def test_demo_domains_are_fine(api: httpx.AsyncClient, email: str) -> None:
    response = await register(api, f"{uuid4().hex[:8]}-{email}")
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
    response = await register(api, email)
    assert response.status_code == 422
    assert "email" in response.json()["detail"]
    if isinstance(email, str) and len(email) > 8:
        assert email not in response.text


async def test_letters_that_plain_mail_has_not_are_refused_by_name(api: httpx.AsyncClient) -> None:
    for name in ("r\u00e9n\u00e9", "\uff41nn", "\u0430nn"):
        detail = (await register(api, f"{name}@example.com")).json()["detail"]
        assert "Internationalized characters before the @-sign are not supported" in detail
        assert name not in detail


@pytest.mark.parametrize("password", ["x" * 8, "\u00e9" * 128, "\U0001f511" * 8, " " * 8])
async def test_passwords_at_the_bounds_are_taken_as_they_are(
    api: httpx.AsyncClient, password: str
) -> None:
    email = new_email()
    assert (await register(api, email, password=password)).status_code == 201
    assert (await login(api, email, password)).status_code == 200
    if len(password) < 128:
        assert (await login(api, email, password + " ")).status_code == 401


@pytest.mark.parametrize("password", ["short12", "x" * 129, "", None, 12345678, "abcdefg\u0000"])
async def test_a_password_has_8_to_128_characters(api: httpx.AsyncClient, password: Any) -> None:
    for path in ("register", "login"):
        body = {"email": new_email(), "password": password}
        response = await api.post(f"/auth/{path}", json=body)
        assert response.status_code == 422
        assert "password" in response.json()["detail"]
        if password:
            assert str(password) not in response.text


async def test_only_the_key_or_an_admin_makes_an_admin(
    api: httpx.AsyncClient, admin: Customer, customer: Customer, internal_key: dict[str, str]
) -> None:
    async def make(headers: dict[str, str]) -> int:
        answer = await register(api, new_email(), role="admin", headers=headers)
        return answer.status_code

    assert await make({}) == 403
    assert await make({"X-Internal-Key": "wrong"}) == 403
    assert await make({"Authorization": f"Bearer {customer.token}"}) == 403
    assert await make({"Authorization": "Bearer rubbish"}) == 401
    assert await make({"Authorization": f"Bearer {admin.token}"}) == 201
    assert await make(internal_key) == 201


async def test_an_unknown_role_is_refused(api: httpx.AsyncClient) -> None:
    assert (await register(api, new_email(), role="owner")).status_code == 422


@pytest.mark.parametrize("path", ["register", "login", "refresh", "logout"])
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"null", 422),
        (b'"x"', 422),
        (b"\xff\xfe", 422),
        (b'{"email": NaN, "password": Infinity, "refresh_token": NaN}', 422),
        (b'{"email": "\\ud800@x.com", "password": "12345678"}', 422),
        (b'{"email": "a@x.com", "password": "\\ud800", "refresh_token": "\\ud800"}', 422),
        (b'{"email": true, "password": 1e400, "refresh_token": {}}', 422),
        (b"[" * 100_000, 422),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, 422),
        (b'{"password": "' + b"x" * 2**20 + b'"}', 413),
    ],
)
async def test_a_malformed_body_is_refused(
    api: httpx.AsyncClient, path: str, content: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    response = await api.post(f"/auth/{path}", content=content, headers=headers)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("content_type", ["text/plain", FORM, "", "application/xml; charset=x"])
async def test_a_body_of_another_type_is_refused(api: httpx.AsyncClient, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    for path in ("register", "login", "refresh", "logout"):
        answer = await api.post(f"/auth/{path}", content=b"{}", headers=headers)
        assert answer.status_code == 415


async def test_a_method_that_is_not_there_is_refused(api: httpx.AsyncClient) -> None:
    for path in ("register", "login", "token", "refresh", "logout"):
        assert (await api.get(f"/auth/{path}")).status_code == 405
    assert (await api.post("/auth/me")).status_code == 405


async def test_doors_open_with_and_without_a_slash_at_the_end(
    api: httpx.AsyncClient, customer: Customer
) -> None:
    body = {"email": customer.email, "password": PASSWORD}
    assert (await api.post("/auth/login/", json=body)).status_code == 200
    assert (await customer.get("/auth/me/")).status_code == 200


async def test_what_a_form_adds_besides_has_no_effect(api: httpx.AsyncClient) -> None:
    response = await register(api, new_email(), id=1, is_admin=True)
    assert (response.status_code, response.json()["role"]) == (201, "customer")
