"""What `scripts/test.py` shows: the tests' output, and a line for each check as it ends."""

import sys
import threading

from ..console import DIM, GREEN, RED, Console
from .static import Outcome


class Report:
    """Two things print at once: the tests, and the checks beside them, each in whole lines."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.outcomes: list[Outcome] = []
        self._lock = threading.Lock()
        self._mid_line = False

    def write(self, text: str) -> None:
        """A piece of the tests' output, as it came."""
        if not text:
            return
        with self._lock:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._mid_line = not text.endswith("\n")

    def line(self, text: str) -> None:
        with self._lock:
            if self._mid_line:
                sys.stdout.write("\n")
            self._mid_line = False
            self.console.show(text)

    def add(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        word = self._paint("ok", GREEN) if outcome.ok else self._paint("FAILED", RED)
        seconds = self._paint(f"{outcome.seconds:5.1f} s", DIM)
        self.line(f"{seconds}  {outcome.name}: {word}")
        if not outcome.ok:
            said = outcome.output or f"exit code {outcome.code}, without a word"
            self.line("\n".join(f"    {line}" for line in said.splitlines()))

    @property
    def failed(self) -> list[str]:
        return [outcome.name for outcome in self.outcomes if not outcome.ok]

    def verdict(self) -> str:
        if self.failed:
            return self._paint(f"Failed checks: {', '.join(self.failed)} (see above)", RED)
        return self._paint(f"{len(self.outcomes)} checks passed.", GREEN)

    def _paint(self, text: str, colour: str) -> str:
        return self.console.paint(text, colour)
