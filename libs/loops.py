"""Background loops that never die unseen: supervised, restarted with backoff, shown in /health."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from .errors import migrations_pending
from .logging import describe_error, fields, get_logger

log = get_logger(__name__)

T = TypeVar("T")
KeyT = TypeVar("KeyT", bound=Hashable)

_STALLED_AFTER = 30.0


class LoopStopped(Exception):  # noqa: N818
    """The service is shutting down and the loop has nothing in hand."""


class Loop:
    """One supervised loop. `run(loop)` goes on for ever; whatever it raises starts it again.

    Call `loop.progressed(...)` at each turn, and wrap each wait for work in
    `with loop.waiting():` so that a shutdown interrupts a wait at once but never work in hand.
    """

    def __init__(self, name: str, run: Callable[["Loop"], Awaitable[None]]) -> None:
        self.name = name
        self._run = run
        self._wake = asyncio.Event()
        self._stopping = False
        self._idle = False
        self._error: str | None = None
        self._last_progress = time.monotonic()
        self._progress_made = False
        self._facts: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._supervise(), name=self.name)

    async def stop(self, limit: float) -> None:
        """Let the loop finish what it has in hand, for `limit` seconds at most."""
        if self._task is None:
            return
        self._stopping = True
        if self._idle:
            self._task.cancel()
        _, pending = await asyncio.wait({self._task}, timeout=limit)
        for task in pending:
            log.warning("loop cut off at shutdown", extra=fields(loop=self.name))
            task.cancel()
            await asyncio.wait({task}, timeout=1)

    def wake(self) -> None:
        """There is work: end the current `sleep` at once."""
        self._wake.set()

    def progressed(self, **facts: Any) -> None:
        """The loop turned without an error; `facts` (such as its lag) are shown in /health."""
        self._last_progress = time.monotonic()
        self._progress_made = True
        self._error = None
        self._facts.update(facts)

    def held_up(self, reason: str, **facts: Any) -> None:
        """The loop goes on trying, but something that it needs is away."""
        self._error = reason
        self._facts.update(facts)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        self.checkpoint()
        self._idle = True
        try:
            yield
        finally:
            self._idle = False

    async def sleep(self, seconds: float) -> bool:
        """Wait for `wake()`, at most `seconds`; True when woken."""
        with self.waiting():
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                return False
            self._wake.clear()
            return True

    async def pause(self, seconds: float) -> None:
        """Wait `seconds`, whatever wakes: for what is away."""
        with self.waiting():
            await asyncio.sleep(seconds)

    def checkpoint(self) -> None:
        """Between two pieces of work in hand: ends the loop here when the service stops."""
        if self._stopping:
            raise LoopStopped

    def check(self) -> str:
        """'ok', or what is wrong with the loop."""
        if self._error:
            return self._error
        if (age := time.monotonic() - self._last_progress) > _STALLED_AFTER:
            return f"no progress for {age:.0f} s"
        return "ok"

    def facts(self) -> dict[str, Any]:
        age = round(time.monotonic() - self._last_progress, 1) if self._progress_made else None
        return {"last_progress_seconds": age, **self._facts}

    async def _supervise(self) -> None:
        backoff = Backoff()
        while not self._stopping:
            started = time.monotonic()
            try:
                await self._run(self)
            except LoopStopped:
                return
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and self._is_told_to_end():
                    raise  # else something within was cancelled, and not the loop
                if time.monotonic() - started > _STALLED_AFTER:
                    backoff.reset()
                self._failed(error)
            await self._pause(backoff.next())

    def _is_told_to_end(self) -> bool:
        task = asyncio.current_task()
        return self._stopping or bool(task and task.cancelling())

    def _failed(self, error: BaseException) -> None:
        pending = migrations_pending(error)
        self._error = "migrations pending" if pending else f"failing: {type(error).__name__}"
        self._facts.clear()  # a lag of before says nothing now
        log.warning(
            "loop failed, starts again", extra=fields(loop=self.name, error=describe_error(error))
        )

    async def _pause(self, seconds: float) -> None:
        try:
            await self.pause(seconds)
        except LoopStopped:
            return


class Tolerance(Generic[KeyT]):
    """For sweeps over many: one that fails, at a neighbour or in the database, keeps no other
    waiting. Several in a row mean that all would fail: the last of them ends the sweep, and in
    the next one those that failed come last, the one that failed last at the very end."""

    def __init__(self, most: int = 3) -> None:
        self._most = most
        self._failed: dict[KeyT, int] = {}
        self._failures = 0
        self._in_a_row = 0
        self._last: Exception | None = None

    def begin(self) -> None:
        """A sweep."""
        self._in_a_row, self._last = 0, None

    def has_failed(self, key: KeyT) -> bool:
        """The last time it was tried: its turn is after all that have not."""
        return key in self._failed

    def failed(self) -> list[KeyT]:
        """The one that failed last at the end."""
        return sorted(self._failed, key=self._failed.__getitem__)

    def forget_all_but(self, keys: Iterable[KeyT]) -> None:
        """The others are settled, by another replica maybe."""
        self._failed = {key: self._failed[key] for key in keys if key in self._failed}

    def in_turn(self, items: Iterable[T], key: Callable[[T], KeyT]) -> list[T]:
        return sorted(items, key=lambda item: self._failed.get(key(item), 0))

    @contextmanager
    def one(self, key: KeyT) -> Iterator[None]:
        try:
            yield
        except LoopStopped:
            raise
        except Exception as failure:
            self._failures += 1
            self._failed[key] = self._failures
            self._last = failure
            self._in_a_row += 1
            if self._in_a_row == self._most:
                raise
        else:
            self._failed.pop(key, None)
            self._in_a_row = 0

    def end(self) -> None:
        """Of a sweep: raise the last failure, if there was one."""
        if self._last:
            raise self._last


class Backoff:
    """Waits that double from `first` to `most` seconds, with jitter."""

    def __init__(self, first: float = 0.1, most: float = 3.0) -> None:
        self._first, self._most = first, most
        self._seconds = first

    def next(self) -> float:
        seconds = self._seconds
        self._seconds = min(seconds * 2, self._most)
        return seconds * random.uniform(0.7, 1.0)

    def reset(self) -> None:
        self._seconds = self._first
