"""Users of the stack, made through its front door."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

PASSWORD = "correct horse battery"


@dataclass
class Customer:
    """A user with a session; an admin is one too. Calls go through the gateway with its token."""

    id: int
    email: str
    token: str
    api: httpx.AsyncClient

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return await self.request("POST", path, json=json, **options)

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return await self.api.request(method, path, headers=headers, **options)


async def make_customer(api: httpx.AsyncClient, email: str | None = None) -> Customer:
    return await _register(api, {"email": email or _address("customer"), "password": PASSWORD})


async def make_admin(api: httpx.AsyncClient, internal_key: dict[str, str]) -> Customer:
    body = {"email": _address("admin"), "password": PASSWORD, "role": "admin"}
    return await _register(api, body, internal_key)


async def _register(
    api: httpx.AsyncClient, body: dict[str, str], headers: dict[str, str] | None = None
) -> Customer:
    made = await api.post("/auth/register", json=body, headers=headers)
    assert made.status_code == 201, made.text
    login = {"email": body["email"], "password": body["password"]}
    session = await api.post("/auth/login", json=login)
    assert session.status_code == 200, session.text
    user = made.json()
    return Customer(user["id"], user["email"], session.json()["access_token"], api)


def _address(name: str) -> str:
    return f"{name}-{uuid4().hex[:12]}@example.com"
