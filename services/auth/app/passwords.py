"""Passwords: argon2id, hashed in a few threads, with a bounded queue in front of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from passlib.context import CryptContext
from starlette.requests import ClientDisconnect

from .config import AuthSettings
from .exceptions import TooManyPasswords

ResultT = TypeVar("ResultT")


def make_crypt_context() -> CryptContext:
    """argon2id with the first choice of OWASP's cheat sheet: 19 MiB, two passes, one lane."""
    return CryptContext(
        schemes=["argon2"],
        argon2__type="ID",
        argon2__memory_cost=19 * 1024,
        argon2__rounds=2,
        argon2__parallelism=1,
    )


class HashPool:
    """The threads that hash, and the turns in front of them.

    Raises TooManyPasswords rather than let the queue grow or stall. There are twice as many turns
    as threads, so that one caller can ask the database while another one's password is hashed.
    """

    def __init__(self, settings: AuthSettings) -> None:
        turns = 2 * settings.password_hash_slots
        self._threads = ThreadPoolExecutor(settings.password_hash_slots, "passwords")
        self._turns = asyncio.Semaphore(turns)
        self._free_places = turns + settings.password_hash_queue
        self._wait = settings.password_hash_wait

    def prepare(self, crypt: CryptContext) -> None:
        """Make the dummy that unknown emails are verified against: else the first one waits for
        it, and stands out."""
        self._threads.submit(crypt.dummy_verify)

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        if not self._free_places:
            raise TooManyPasswords("Too many logins at once; try again shortly.")
        self._free_places -= 1
        try:
            await self._acquire()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._free_places += 1

    async def _acquire(self) -> None:
        try:
            async with asyncio.timeout(self._wait):
                await self._turns.acquire()
        except TimeoutError:
            raise TooManyPasswords("Too many logins at once; try again shortly.") from None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Passwords:
    """Hashes and verifies for one caller, who takes a turn first."""

    def __init__(
        self, crypt: CryptContext, pool: HashPool, is_gone: Callable[[], Awaitable[bool]]
    ) -> None:
        self._crypt = crypt
        self._pool = pool
        self._is_gone = is_gone

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one; nothing is done for a caller that has hung up by then.

        What a caller needs of the database belongs inside, so that a crowd waits here and not for
        the connections, of which `/health` needs one too.
        """
        async with self._pool.turn():
            if await self._is_gone():
                raise ClientDisconnect
            yield

    async def hash(self, password: str) -> str:
        return await self._pool.run(lambda: str(self._crypt.hash(password)))

    async def verify(self, password: str, known: str | None) -> tuple[bool, str | None]:
        """(whether it is right, its new hash when the parameters have changed since).

        Without a known hash it is wrong, and finding that out takes as long.
        """

        def work() -> tuple[bool, str | None]:
            if known is None:
                self._crypt.dummy_verify()
                return False, None
            right, new_hash = self._crypt.verify_and_update(password, known)
            return bool(right), new_hash

        return await self._pool.run(work)


async def get_passwords(request: Request) -> Passwords:
    state = request.app.state
    return Passwords(state.crypt, state.hash_pool, request.is_disconnected)


PasswordsDep = Annotated[Passwords, Depends(get_passwords)]
