"""A customer's program as it should be: it asks again until it has an answer that counts."""

import asyncio
import random
import time
from typing import Any

from .calls import LIMIT, Answer, Caller
from .shop import Account

LONGEST_PAUSE = 2.0


class GaveUp(Exception):  # noqa: N818
    """No answer that counts until the flow's time was up; the message is the step."""


class BrokenPromise(Exception):  # noqa: N818
    """An answer that contradicts an earlier one, or that nothing explains."""


class Client:
    """`longest_pause` between two tries, and the longest wait for one answer."""

    def __init__(
        self,
        caller: Caller,
        account: Account,
        rng: random.Random,
        *,
        longest_pause: float = LONGEST_PAUSE,
        limit: float = LIMIT,
    ) -> None:
        self.caller, self.account, self.rng = caller, account, rng
        self.deadline = 0.0
        self._longest_pause, self._limit = longest_pause, limit

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        account: Account | None = None,
        limit: float | None = None,
    ) -> Answer:
        limit = limit or self._limit
        headers = dict((account or self.account).headers)
        if key:
            headers["Idempotency-Key"] = key
        return await self.caller.ask(method, path, body, headers=headers, limit=limit)

    async def insist(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        account: Account | None = None,
    ) -> Answer:
        """A success or a refusal that stays one; raises GaveUp."""
        while True:
            answer = await self.ask(method, path, body, key=key, account=account)
            if answer.final:
                return answer
            await self.pause(answer.retry_after, f"{method} {path.partition('?')[0]}")

    async def pause(self, seconds: float, step: str) -> None:
        if time.monotonic() > self.deadline:
            raise GaveUp(step)
        await asyncio.sleep(min(seconds or self.rng.uniform(0.1, 0.6), self._longest_pause))

    async def expect(self, method: str, path: str, body: Any = None) -> Any:
        """The body of a call that nothing may refuse."""
        answer = await self.insist(method, path, body)
        if not answer.ok:
            raise BrokenPromise(f"{method} {path} answered {answer.status} {answer.code}")
        return answer.body

    async def log_in(self, account: Account) -> None:
        while True:
            answer = await self.ask("POST", "/auth/login", account.login)
            if answer.ok:
                return account.keep(answer)
            if answer.final and answer.status != 429:
                raise BrokenPromise(f"{account.email} can't log in: {answer.status} {answer.code}")
            await self.pause(answer.retry_after, "POST /auth/login")
