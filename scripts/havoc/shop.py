"""What the flows need: accounts that log in again in time, and products, some of them scarce."""

import asyncio
import secrets
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from ..console import ScriptError
from ..stacks import HOW_TO_START, Target
from .calls import LIMIT, Answer, Caller, Tally

PASSWORD = "chaos-password"
PRODUCTS, PLENTY, FEW = 8, 1_000_000, 4
_RENEW_BEFORE = 120.0


@dataclass
class Account:
    email: str
    token: str = ""
    valid_until: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def is_due(self) -> bool:
        return time.monotonic() > self.valid_until - _RENEW_BEFORE

    @property
    def login(self) -> dict[str, str]:
        return {"email": self.email, "password": PASSWORD}

    def keep(self, answer: Answer) -> None:
        self.token = answer.body["access_token"]
        self.valid_until = time.monotonic() + answer.body["expires_in"]


@dataclass
class Shop:
    target: Target
    admin: Account
    customers: list[Account]
    plenty: list[int]
    scarce: list[int]


class Opening:
    """Makes all of it while nothing is broken yet."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._caller = Caller(target.gateway, Tally())
        self._run = secrets.token_hex(4)

    async def open(self, *, customers: int, scarce: int) -> Shop:
        async with aclosing(self._caller):
            admin = await self._account("admin", admin=True)
            made = [await self._account(f"customer-{number}") for number in range(customers)]
            ids = await asyncio.gather(
                *(self._product(admin, number) for number in range(PRODUCTS + scarce))
            )
            await self._stock(admin, ids)
        return Shop(self._target, admin, made, ids[:PRODUCTS], ids[PRODUCTS:])

    async def _account(self, name: str, *, admin: bool = False) -> Account:
        account = Account(f"chaos-{self._run}-{name}@example.com")
        body = account.login | {"role": "admin" if admin else "customer"}
        key = {"X-Internal-Key": self._target.internal_key} if admin else {}
        await self._demand("/auth/register", body, key)
        account.keep(await self._demand("/auth/login", account.login, {}))
        return account

    async def _product(self, admin: Account, number: int) -> int:
        product = {
            "title": f"Chaos product {self._run} {number}",
            "description": "",
            "price_cents": 100 + number,
            "currency": "USD",
            "sku": f"CHAOS-{self._run}-{number}",
            "active": True,
        }
        made = await self._demand("/catalog/v1/products/", product, admin.headers)
        return int(made.body["id"])

    async def _stock(self, admin: Account, ids: list[int]) -> None:
        items = [
            {"product_id": product_id, "qty": PLENTY if index < PRODUCTS else FEW}
            for index, product_id in enumerate(ids)
        ]
        headers = admin.headers | {"X-Internal-Key": self._target.internal_key}
        for start in range(0, len(items), 50):
            body = {"items": items[start : start + 50]}
            await self._demand("/catalog/v1/inventory/restock", body, headers)

    async def _demand(self, path: str, body: Any, headers: dict[str, str]) -> Answer:
        answer = await self._caller.ask("POST", path, body, headers=headers, limit=LIMIT)
        if answer.status == 0:
            raise ScriptError(f"Nothing answers at {self._target.gateway}: {HOW_TO_START}")
        if not answer.ok:
            raise ScriptError(f"The chaos can't begin: {path} answered {answer.status}")
        return answer
