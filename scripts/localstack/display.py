"""What the user sees: a live line and colours on a terminal, plain lines elsewhere."""

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

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
        self._write(f"\r\x1b[K{self.paint(line, DIM)}")
        self._live = True

    def notice(self, text: str) -> None:
        self.show(self.paint(text, YELLOW))

    def error(self, text: str) -> None:
        self.finish()
        colour = sys.stderr.isatty() and self.terminal
        with suppress(OSError):
            print(self.paint(text, RED) if colour else text, file=sys.stderr, flush=True)

    def show(self, text: str) -> None:
        self.finish()
        self._write(text + "\n")

    def finish(self) -> None:
        if self._live:
            self._write("\r\x1b[K")
            self._live = False

    def _write(self, text: str) -> None:
        """A reader that is gone (a closed pipe or terminal) must not keep us from stopping."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - what is buffered would fail again
