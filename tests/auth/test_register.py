"""Who can register, with which addresses and passwords."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.auth.doors import login, new_email, register
from tests.support.people import Customer


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
    ]
    answers = await asyncio.gather(*(register(api, s) for s in spellings * 7))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 20
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
