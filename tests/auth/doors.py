"""Auth's doors, through the gateway or at a copy of its own."""

from typing import Any
from uuid import uuid4

import httpx

from tests.support.people import PASSWORD, make_customer

Json = dict[str, Any]


def new_email() -> str:
    return f"ann-{uuid4().hex[:10]}@example.com"


async def register(api: httpx.AsyncClient, email: str, **changes: Any) -> httpx.Response:
    body = {"email": email, "password": PASSWORD, **changes}
    headers = body.pop("headers", {})
    return await api.post("/auth/register", json=body, headers=headers)


async def login(api: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post("/auth/login", json={"email": email, "password": password})


async def new_session(api: httpx.AsyncClient) -> Json:
    customer = await make_customer(api)
    session: Json = (await login(api, customer.email)).json()
    return session


async def refresh(api: httpx.AsyncClient, token: str, url: str = "/auth") -> httpx.Response:
    return await api.post(f"{url}/refresh", json={"refresh_token": token})
