"""What the user sees: a live line and colours on a terminal, plain lines elsewhere."""

import os
import sys
import time
from dataclasses import dataclass, field

RED, GREEN, YELLOW, DIM = "31", "32", "33", "2"


@dataclass
class Display:
    terminal: bool = field(default_factory=lambda: sys.stdout.isatty())
    started: float = field(default_factory=time.monotonic)
    _live: bool = False

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def paint(self, text: str, colour: str) -> str:
        if not self.terminal or "NO_COLOR" in os.environ:
            return text
        return f"\x1b[{colour}m{text}\x1b[0m"

    def stage(self, what: str) -> None:
        line = f"{self.elapsed:5.1f} s  {what}"
        if not self.terminal:
            self.show(line)
            return
        sys.stdout.write(f"\r\x1b[K{self.paint(line, DIM)}")
        sys.stdout.flush()
        self._live = True

    def notice(self, text: str) -> None:
        self.show(self.paint(text, YELLOW))

    def error(self, text: str) -> None:
        self.finish()
        colour = sys.stderr.isatty() and self.terminal
        print(self.paint(text, RED) if colour else text, file=sys.stderr, flush=True)

    def show(self, text: str) -> None:
        self.finish()
        print(text, flush=True)

    def finish(self) -> None:
        if self._live:
            sys.stdout.write("\r\x1b[K")
            self._live = False
