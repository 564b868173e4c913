"""Waiting for a condition, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

ResultT = TypeVar("ResultT")

PATIENCE: float = 10
"""Seconds, where a test does not say otherwise."""


async def eventually(
    condition: Callable[[], Awaitable[ResultT | None]], *, within: float = PATIENCE, what: str = ""
) -> ResultT:
    """The first truthy result of `condition`; fails when there is none within so many seconds."""
    deadline = time.monotonic() + within
    while True:
        if result := await condition():
            return result
        assert time.monotonic() < deadline, f"not within {within} s: {what or condition}"
        await asyncio.sleep(0.03)
