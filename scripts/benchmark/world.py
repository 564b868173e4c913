"""What the flows need: an admin, customers, products with enough stock."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from ..console import ScriptError
from ..stacks import HOW_TO_START, Target
from .http import NO_ANSWER, Connection

PASSWORD = "bench-password"
STOCK = 1_000_000
RENEW_BEFORE = 60.0
LOGINS_AT_ONCE = 4


@dataclass
class Account:
    """A user and its access token, renewed in time by `headers`."""

    email: str
    token: str = ""
    valid_until: float = 0.0

    async def headers(self, connection: Connection) -> dict[str, str]:
        if time.monotonic() > self.valid_until - RENEW_BEFORE:
            body = {"email": self.email, "password": PASSWORD}
            answer = await demand(connection, "POST", "/auth/login", body)
            self.token = answer["access_token"]
            self.valid_until = time.monotonic() + max(answer["expires_in"], 2 * RENEW_BEFORE)
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class World:
    target: Target
    admin: Account
    customers: list[Account] = field(default_factory=list)
    product_ids: list[int] = field(default_factory=list)


async def demand(connection: Connection, method: str, path: str, body: Any, **headers: str) -> Any:
    """The answer of a call without which there is nothing to measure."""
    status, answer = await connection.request(method, path, body, headers)
    if status == NO_ANSWER:
        where = f"{connection.host}:{connection.port}"
        raise ScriptError(f"Nothing answers at {where}: {HOW_TO_START}")
    if status >= 400:
        detail = answer.get("detail", "") if isinstance(answer, dict) else ""
        raise ScriptError(f"The bench can't begin: {method} {path} answered {status} ({detail})")
    return answer


async def make_world(target: Target, *, customers: int, products: int) -> World:
    run = secrets.token_hex(4)
    connection = Connection(target.gateway)
    world = World(target, await _register(connection, target, f"bench-{run}-admin", admin=True))
    gate = asyncio.Semaphore(LOGINS_AT_ONCE)  # a password hash takes memory and a whole core
    world.customers = await asyncio.gather(
        *(_customer(target, f"bench-{run}-{number}", gate) for number in range(customers))
    )
    world.product_ids = await _products(connection, world, run, products)
    connection.close()
    return world


async def _customer(target: Target, name: str, gate: asyncio.Semaphore) -> Account:
    async with gate:
        connection = Connection(target.gateway)
        account = await _register(connection, target, name)
        connection.close()
        return account


async def _register(
    connection: Connection, target: Target, name: str, *, admin: bool = False
) -> Account:
    account = Account(f"{name}@example.com")
    body = {
        "email": account.email,
        "password": PASSWORD,
        "role": "admin" if admin else "customer",
    }
    headers = {"X-Internal-Key": target.internal_key} if admin else {}
    await demand(connection, "POST", "/auth/register", body, **headers)
    await account.headers(connection)
    return account


async def _products(connection: Connection, world: World, run: str, count: int) -> list[int]:
    headers = await world.admin.headers(connection)
    category = {"name": f"Bench {run}"}
    made = await demand(connection, "POST", "/catalog/v1/categories/", category, **headers)
    ids = []
    for number in range(count):
        product = {
            "title": f"Bench product {run} {number}",
            "description": "A product of the bench, as long as a sentence.",
            "price_cents": 100 + number,
            "currency": "USD",
            "sku": f"BENCH-{run}-{number}",
            "category_id": made["id"],
            "active": True,
        }
        answer = await demand(connection, "POST", "/catalog/v1/products/", product, **headers)
        ids.append(answer["id"])
    items = [{"product_id": product_id, "qty": STOCK} for product_id in ids]
    headers |= {"X-Internal-Key": world.target.internal_key}
    path = "/catalog/v1/inventory/restock"
    await demand(connection, "POST", path, {"items": items}, **headers)
    return ids
