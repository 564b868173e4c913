"""How a step tells what it did, and waits."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

from ..console import GREEN, YELLOW, Console
from .shop import Shop, detail_of

LIMIT = 30.0

T = TypeVar("T")


class Steps:
    """Base of the demo's parts: the shop, the console, and the step that is under way."""

    def __init__(self, shop: Shop, console: Console) -> None:
        self.shop = shop
        self.console = console

    def begin(self, step: str) -> None:
        self.shop.step = step.partition(". ")[2]
        self.console.show(step)

    def say(self, text: str) -> None:
        self.console.show(f"   {self.console.paint('ok', GREEN)}  {text}")

    def note_if_taken(self, answer: httpx.Response) -> bool:
        """A 409 is no failure where the thing may be there from the last run."""
        if answer.status_code != 409:
            return False
        said = detail_of(answer) or "already exists"
        self.console.show(f"   {self.console.paint('--', YELLOW)}  {said} (going on)")
        return True

    def wait_for(self, find: Callable[[], T | None], otherwise: str) -> T:
        """What `find` finds within LIMIT seconds, asked ever less often."""
        deadline, pause = time.monotonic() + LIMIT, 0.03
        while not (found := find()):
            if time.monotonic() > deadline:
                raise self.shop.failed(f"{otherwise} within {LIMIT:.0f} s; see the services' logs")
            self.console.progress("   waiting ...")
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        return found
