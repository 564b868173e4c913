"""Logging in, by JSON and by the form of the docs page."""

from pathlib import Path
from uuid import uuid4

import httpx
import jwt
import psutil
import pytest
from passlib.context import CryptContext

from tests.auth.doors import Json, login, new_email, refresh, register
from tests.support.database import Query
from tests.support.people import PASSWORD, Customer, make_customer

FORM = "application/x-www-form-urlencoded"


async def test_a_login_gives_a_pair_of_tokens(api: httpx.AsyncClient) -> None:
    customer = await make_customer(api)
    session = (await login(api, f" {customer.email.upper()} ")).json()
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
    wrong = await login(api, customer.email, "wrong password")
    unknown = await login(api, new_email(), "wrong password")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["detail"] == unknown.json()["detail"]


async def test_an_unknown_email_costs_as_much_as_a_wrong_password(
    api: httpx.AsyncClient, customer: Customer, stack: Json
) -> None:
    """In the service's own processor time, which the machine's load does not change."""
    process = psutil.Process(stack["services"]["auth"]["pid"])

    async def cost(email: str) -> float:
        before = process.cpu_times()
        for _ in range(8):
            assert (await login(api, email, "wrong password")).status_code == 401
        after = process.cpu_times()
        return after.user + after.system - before.user - before.system

    await login(api, new_email(), "wrong password")
    ratio = await cost(new_email()) / await cost(customer.email)
    assert 0.5 < ratio < 2


async def test_a_hash_of_former_parameters_is_made_anew_at_the_next_login(
    api: httpx.AsyncClient, query: Query
) -> None:
    customer = await make_customer(api)
    old = CryptContext(schemes=["argon2"], argon2__memory_cost=8 * 1024, argon2__rounds=1)
    change = "UPDATE auth.users SET password_hash = %s WHERE id = %s"
    await query(change, old.hash(PASSWORD), customer.id)
    assert (await login(api, customer.email)).status_code == 200
    select = "SELECT password_hash FROM auth.users WHERE id = %s"
    [(hashed,)] = await query(select, customer.id)
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await login(api, customer.email)).status_code == 200


async def test_the_password_form_logs_in_for_the_docs(
    api: httpx.AsyncClient, customer: Customer
) -> None:
    form = {"grant_type": "password", "username": customer.email, "password": PASSWORD}
    response = await api.post("/auth/token", data=form)
    assert response.status_code == 200
    assert response.json()["access_token"]
    wrong = await api.post("/auth/token", data={**form, "password": "wrong password"})
    assert wrong.status_code == 401


async def test_the_form_may_be_multipart(api: httpx.AsyncClient, customer: Customer) -> None:
    form = {"username": (None, customer.email), "password": (None, PASSWORD)}
    assert (await api.post("/auth/token", files=form)).status_code == 200


async def test_a_form_is_no_json(api: httpx.AsyncClient, customer: Customer) -> None:
    body = {"username": customer.email, "password": PASSWORD}
    assert (await api.post("/auth/token", json=body)).status_code == 415


@pytest.mark.parametrize("part", ["username", "password"])
async def test_a_file_is_neither_an_email_nor_a_password(
    api: httpx.AsyncClient, customer: Customer, part: str
) -> None:
    form = {"username": (None, customer.email), "password": (None, PASSWORD)}
    form[part] = ("name.txt", form[part][1])  # type: ignore[assignment]
    response = await api.post("/auth/token", files=form)
    assert response.status_code == 422
    assert part in response.json()["detail"]


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", FORM),
        (b"username=%ff%fe&password=%00%00%00%00%00%00%00%00", FORM),
        (b"username=a&username=b&password=correct+horse", FORM),
        (b"--x\r\nrubbish", "multipart/form-data; boundary=x"),
        (b"--x", "multipart/form-data"),
        (b"--x", "multipart/form-data; boundary=\xff"),
        (
            b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--",
            "multipart/form-data; boundary=x",
        ),
        (b"{}", "application/json"),
        (b"username=a@example.com&password=correct+horse&grant_type=code", FORM),
        (b"username=a@example.com&password=" + b"x" * 2**20, FORM),
        (b"&" * 20_000, FORM),
    ],
)
async def test_a_malformed_form_is_refused(
    api: httpx.AsyncClient, content: bytes, content_type: str
) -> None:
    headers = {b"Content-Type": content_type.encode("latin-1")}
    response = await api.post("/auth/token", content=content, headers=headers)
    assert response.status_code in (400, 401, 413, 415, 422), response.text
    assert response.headers["content-type"] == "application/problem+json"


async def test_no_password_or_token_is_in_the_logs_or_in_a_refusal(
    api: httpx.AsyncClient, stack: Json
) -> None:
    secret, email = f"secret-{uuid4().hex}", new_email()
    await register(api, email, password=secret)
    session = (await login(api, email, secret)).json()
    await refresh(api, session["refresh_token"])
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    await api.get("/auth/me", headers=headers)
    json = {"Content-Type": "application/json"}
    refusals = [
        await login(api, new_email(), secret),
        await register(api, email, password=secret),
        await register(api, "x", password=secret),
        await api.post("/auth/register", json=[secret]),
        await api.post("/auth/login", json={"email": {"a": secret}, "password": [secret]}),
        await api.post("/auth/login", content=f'{{"password": "{secret}"'.encode(), headers=json),
        await api.post("/auth/login", content=f'{{"password": "{secret}"}}'.encode()),
        await api.post("/auth/token", data={"username": "x", "password": secret}),
        await api.post("/auth/refresh", json={"refresh_token": secret}),
        await api.post("/auth/logout", json={"refresh_token": [secret]}),
    ]
    assert all(400 <= refusal.status_code < 500 for refusal in refusals)
    assert not [refusal.text for refusal in refusals if secret in refusal.text]
    for text in (secret, session["access_token"], session["refresh_token"]):
        assert _logs_with(text, Path(stack["logs"])) == []


def _logs_with(text: str, folder: Path) -> list[Path]:
    logs = list(folder.glob("*.log"))
    assert logs
    return [log for log in logs if text in log.read_text(encoding="utf-8", errors="replace")]
