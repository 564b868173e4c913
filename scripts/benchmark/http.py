"""A small HTTP/1.1 client, so that the measuring costs little of what is measured.

One connection, one request at a time, JSON in and out, kept alive. An httpx call costs several
times the CPU of this one, on the machine whose services are measured.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import httptools

LIMIT = 30.0
NO_ANSWER = 0


class Connection(asyncio.Protocol):
    """`request` gives the status and the body; status 0 means that no answer came."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.body = bytearray()
        self.answer: asyncio.Future[int] | None = None
        self._head = f" HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n"

    async def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        content = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            lines += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        message = f"{method} {path}{self._head}{lines}\r\n".encode() + content
        try:
            async with asyncio.timeout(LIMIT):
                status = await self._send(message)
        except (OSError, TimeoutError):
            self.close()
            return NO_ANSWER, None
        return status, _json(bytes(self.body))

    async def _send(self, message: bytes) -> int:
        loop = asyncio.get_running_loop()
        if self.transport is None or self.transport.is_closing():
            await loop.create_connection(lambda: self, self.host, self.port)
        assert self.transport is not None
        self.body.clear()
        self.answer = loop.create_future()
        self.transport.write(message)
        return await self.answer

    def close(self) -> None:
        if self.transport:
            self.transport.abort()
        self.transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self.parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.connection_lost(ConnectionError(str(error)))

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self.answer and not self.answer.done():
            self.answer.set_exception(ConnectionError(str(error)))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_result(self.parser.get_status_code())


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
