"""Further copies of a service, and a proxy that cuts what lies behind it off."""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Self

import httpx

from .forks import ROOT, Fork, parent
from .plain_http import plain_client
from .waiting import eventually

NOBODY = "127.0.0.1:9"
APART = {"KAFKA_BOOTSTRAP": NOBODY}
"""Of a copy that joins no consumer group: one that comes and goes has all its members wait."""

_given: set[int] = set()


def free_port() -> int:
    """A different one each time, though nobody listens yet at those of before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


class ServiceProcess:
    """`async with ServiceProcess("order", env, ORDER_PAYMENT_TTL="1") as copy:` runs one more
    copy of a service; it is up when it answers `/livez`, whatever it misses."""

    def __init__(self, name: str, env: Mapping[str, str], **changes: str) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {**os.environ, "LOG_LEVEL": "WARNING", **env, **changes}
        self.process: Fork | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def start(self) -> None:
        self.process = parent().fork(
            "uvicorn",
            *("app.main:app", "--port", str(self.port), "--root-path", f"/{self.name}"),
            *("--http", "libs.http_protocol:Protocol"),
            cwd=ROOT / "services" / self.name,
            env={k: v for k, v in self.env.items() if not k.startswith("UVICORN_")},
        )
        try:
            await self._wait_until_alive()
        except BaseException:
            await self.stop()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _wait_until_alive(self) -> None:
        async with plain_client(self.url) as client:

            async def alive() -> bool:
                assert self.process is not None
                assert not self.process.exited.done(), f"{self.name} ended at its start"
                with suppress(httpx.TransportError):
                    return (await client.get("/livez")).status_code == 200
                return False

            await eventually(alive, within=60, what=f"{self.name} alive")

    async def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        try:
            await asyncio.to_thread(self.process.wait, 15)
        except TimeoutError:
            await self.kill()
        sys.stderr.write(self.process.output())  # pytest shows it with a failure

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await asyncio.to_thread(self.process.wait)


class TcpProxy:
    """A port that leads to another one while it is `up`, and refuses while it is not."""

    def __init__(self, target: str) -> None:
        """`target` is host:port."""
        self.host, _, port = target.rpartition(":")
        self.target_port = int(port)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def up(self) -> None:
        serve = partial(self._serve, self._writers)
        self._server = await asyncio.start_server(serve, "127.0.0.1", self.port)

    async def down(self) -> None:
        """Cut all connections and take no new ones."""
        if self._server:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        self._writers = set()

    async def _serve(
        self,
        writers: set[asyncio.StreamWriter],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(self.host, self.target_port)
        except OSError:
            writer.transport.abort()
            return
        if writers is not self._writers:  # cut in the meantime
            writer.transport.abort()
            there_writer.transport.abort()
            return
        writers |= {writer, there_writer}
        await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        writers -= {writer, there_writer}


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
