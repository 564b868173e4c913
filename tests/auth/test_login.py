"""Logging in, by JSON and by the form of the docs page."""

from pathlib import Path
from uuid import uuid4

import httpx
import jwt
import pytest

from tests.auth.doors import Json, login, new_email, register
from tests.support.people import PASSWORD, Customer, make_customer


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


async def test_no_password_is_in_the_logs(api: httpx.AsyncClient, stack: Json) -> None:
    secret = f"secret-{uuid4().hex}"
    await register(api, new_email(), password=secret)
    await login(api, new_email(), secret)
    await api.post("/auth/login", content=f'{{"password": "{secret}"'.encode())
    await api.post("/auth/token", data={"username": "x", "password": secret})
    assert _logs_with(secret, Path(stack["logs"])) == []


def _logs_with(text: str, folder: Path) -> list[Path]:
    logs = list(folder.glob("*.log"))
    assert logs
    return [log for log in logs if text in log.read_text(encoding="utf-8", errors="replace")]
