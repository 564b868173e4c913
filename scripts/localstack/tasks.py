"""Running commands to their end, under the stack's warden, so that nothing outlives the stack."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from .errors import StackError
from .processes import Command, Process, Warden
from .ready import Check, until
from .state import shown, tail


@dataclass
class Runner:
    """Starts things and waits for them; every failure is one line with the end of the log."""

    warden: Warden

    async def run(self, command: Command) -> None:
        process = await self.warden.run(command)
        if await process.wait() != 0:
            raise failure(process)

    async def ready(self, process: Process, check: Check, limit: float) -> None:
        """Waits until `check` holds; StackError when the process ends first or time is up."""
        waiting = asyncio.ensure_future(until(check))
        try:
            async with asyncio.timeout(limit):
                await first_of(waiting, process.exited)
        except TimeoutError:
            raise StackError(_message(process, f"did not answer within {limit:.0f} s")) from None
        finally:
            waiting.cancel()
        if process.exited.done():
            raise failure(process)

    async def wait_for_lock(self, lock: Callable[[], None], limit: float = 60.0) -> None:
        deadline = time.monotonic() + limit
        while True:
            try:
                return lock()
            except OSError:
                if time.monotonic() > deadline:
                    raise StackError("another start is taking too long; try again") from None
                await asyncio.sleep(0.05)


async def first_of(*futures: asyncio.Future[Any]) -> None:
    """Waits until one of them is done; none is cancelled."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


@asynccontextmanager
async def first_error() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first error comes out as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        matching = errors.subgroup((StackError, OSError))
        raise _leaf(matching or errors) from None


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def failure(process: Process) -> StackError:
    return StackError(_message(process, f"could not start ({describe(process.exited.result())})"))


def in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"the stack could not start: {error.strerror or error}: {error.filename or ''}"
    return str(error)


def describe(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def _message(process: Process, what: str) -> str:
    log = process.command.log
    end = tail(log)
    return f"{process.command.name} {what}: {end or 'no output'} (log: {shown(log)})"
