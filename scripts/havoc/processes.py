"""The local stack's processes, found by its `stack.json`."""

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from ..localstack import Folder
from .machine import TargetBusyError, roles

NAMES = {
    "gateway": "gateway",
    "postgres": "postgres",
    "cache": "valkey",
    "broker": "kafka",
    "objects": "s3",
    "smtp": "mail",
}
_FIND_LIMIT = 8.0
_STOP_LIMIT = 15.0
_STOP = {"postgres": signal.SIGINT}
"""SIGTERM would let Postgres wait until its last client has gone."""


class LocalProcesses:
    def __init__(self, folder: Path) -> None:
        self._folder = Folder(folder)
        self._names: Mapping[str, str] = roles(NAMES, list(self._pids()))
        self.targets = tuple(sorted(self._names))
        self._frozen: dict[str, list[psutil.Process]] = {}

    async def kill(self, target: str) -> None:
        process = await self._find(target)
        with _still_there(target):
            process.kill()

    async def restart(self, target: str) -> None:
        """One that does not stop within the limit is killed, as by any init system."""
        process = await self._find(target)
        with _still_there(target):
            process.send_signal(_STOP.get(target, signal.SIGTERM))
        try:
            await asyncio.to_thread(process.wait, _STOP_LIMIT)
        except psutil.TimeoutExpired:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    async def freeze(self, target: str) -> None:
        """With all its children: Postgres works in them."""
        process = await self._find(target)
        with _still_there(target):
            self._frozen[target] = [process, *process.children(recursive=True)]
        for member in self._frozen[target]:
            with suppress(psutil.NoSuchProcess):
                member.suspend()

    async def thaw(self, target: str) -> None:
        self._thaw(target)

    def thaw_all(self) -> None:
        for target in list(self._frozen):
            self._thaw(target)

    def _thaw(self, target: str) -> None:
        for member in self._frozen.pop(target, []):
            with suppress(psutil.Error):
                member.resume()

    async def _find(self, target: str) -> psutil.Process:
        """Its process, once it is there: after a death it is started again in a moment."""
        deadline = time.monotonic() + _FIND_LIMIT
        while time.monotonic() < deadline:
            with suppress(psutil.Error):
                process = psutil.Process(self._pids().get(self._names[target], 0))
                if self._is_ours(process):
                    return process
            await asyncio.sleep(0.1)
        raise TargetBusyError(target)

    def _is_ours(self, process: psutil.Process) -> bool:
        """A pid that was read a moment ago may be somebody else's by now."""
        info = self._folder.read()
        alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        owner = info["supervisor"]["pid"] if info else 0
        return alive and any(parent.pid == owner for parent in process.parents())

    def _pids(self) -> dict[str, int]:
        info = self._folder.read()
        if info is None:
            return {}
        return {name: at["pid"] for name, at in (info["services"] | info["servers"]).items()}


@contextmanager
def _still_there(target: str) -> Iterator[None]:
    """Since it was found a moment ago; else it is just being started again."""
    try:
        yield
    except psutil.NoSuchProcess:
        raise TargetBusyError(target) from None
