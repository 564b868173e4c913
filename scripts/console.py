"""What scripts print: a live line and colours on a terminal, plain lines elsewhere."""

import io
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import TextIO

RED, GREEN, YELLOW, BOLD, DIM = "31", "32", "33", "1", "2"


class ScriptError(Exception):
    """Ends a script with this exit code; the message is one readable line."""

    code = 1


class Console:
    """On a terminal `progress` overwrites itself; elsewhere it is silent but for a line now and
    then, so that a log shows that the script is alive."""

    EVERY = 5.0

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a mail may hold what a console can't show
        self._live = False
        if os.name == "nt":
            os.system("")  # noqa: S605 - its side effect: the console takes escape codes
        self.use(sys.stdout)
        self._next = time.monotonic() + self.EVERY

    def use(self, stream: TextIO) -> None:
        """Print there; a script whose result is JSON keeps standard output for that."""
        self.stream = stream
        self.terminal = stream.isatty()
        self.colours = self.terminal and "NO_COLOR" not in os.environ

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colours else text

    def show(self, text: str = "") -> None:
        self._clear()
        print(text, file=self.stream, flush=True)
        self._next = time.monotonic() + self.EVERY

    def progress(self, text: str) -> None:
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            self.stream.write("\r\x1b[K" + self.paint(text[:width], DIM))
            self.stream.flush()
            self._live = True
        elif time.monotonic() >= self._next:
            self.show(text)

    def note(self, text: str) -> None:
        """For people only: nothing where output is read by a program."""
        if self.terminal:
            self.show(self.paint(text, DIM))

    def error(self, text: str) -> None:
        self._clear()
        self.stream.flush()
        coloured = self.colours and sys.stderr.isatty()
        print(self.paint(text, RED) if coloured else text, file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._live:
            self.stream.write("\r\x1b[K")
            self._live = False


def run_script(main: Callable[[Console], int]) -> int:
    """The exit code of `main`: an expected failure is one line, a Ctrl-C or SIGTERM none.

    A SIGTERM unwinds like a Ctrl-C, so that what the script has started is stopped.
    """
    console = Console()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return main(console)
    except ScriptError as error:
        console.error(str(error))
        return error.code
    except KeyboardInterrupt:
        console.error("interrupted")
        return 130


def _terminate(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
