"""Runs pytest and passes on what it prints, but for its summary line, which is to come last."""

import codecs
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

from ..stacks import REPO
from .report import Report

LIMIT = 2700.0
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SUMMARY = re.compile(r"^=*\s*(no tests ran|\d+ [a-z]+).* in [\d.]+s\b.*$")


class Stream:
    """Passes text on at once, dots included; only what may be the summary waits for its end."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.line = ""
        self.summary = ""

    def feed(self, text: str) -> None:
        for piece in text.splitlines(keepends=True):
            self.line += piece
            self._pass_on()

    def _pass_on(self) -> None:
        plain = COLOURS.sub("", self.line)
        if SUMMARY.match(plain.rstrip()) and plain.endswith("\n"):
            self.summary = self.line.rstrip("\n")
        elif plain.startswith(("=", *"0123456789")) and not plain.endswith("\n"):
            return
        else:
            self.report.write(self.line)
        self.line = ""


def run_tests(arguments: Sequence[str], env: Mapping[str, str], report: Report) -> tuple[int, str]:
    """pytest's exit code and its summary line."""
    colour = "yes" if report.console.colours else "no"
    width = shutil.get_terminal_size((100, 24)).columns
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pytest", f"--color={colour}", *arguments],
        cwd=REPO,
        env={**os.environ, **env, "COLUMNS": str(width)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    limit = threading.Timer(LIMIT, process.kill)
    limit.start()
    try:
        summary = _follow(process, report)
        return process.wait(), summary
    finally:
        limit.cancel()
        _end(process)


def _follow(process: subprocess.Popen[bytes], report: Report) -> str:
    assert process.stdout is not None
    stream = Stream(report)
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while chunk := os.read(process.stdout.fileno(), 1 << 16):
        stream.feed(decoder.decode(chunk))
    report.write(stream.line)
    return stream.summary


def _end(process: subprocess.Popen[bytes]) -> None:
    """After a Ctrl-C pytest still closes what it has opened."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
