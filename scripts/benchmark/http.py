"""A small HTTP/1.1 client, so that the measuring costs little of what is measured.

One connection, one request at a time, kept alive. A request is bytes that were made before; an
answer's body is parsed only where it is needed. An httpx call costs several times the CPU of this
one, on the machine whose services are measured.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import httptools

LIMIT = 30.0
NO_ANSWER = 0


class Head:
    """The beginning of requests to one path by one user; `with_body` and `bare` complete it."""

    def __init__(
        self, base: str, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        text = f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(base).netloc}\r\n{lines}"
        self._start = text.encode()

    def bare(self) -> bytes:
        return self._start + b"\r\n"

    def with_body(self, body: Any) -> bytes:
        content = json.dumps(body).encode()
        length = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content)
        return self._start + length + content


class Connection(asyncio.Protocol):
    """`ask` gives the status and the body; status 0 means that no answer came."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self.base, self.host, self.port = base, parts.hostname or "", parts.port or 80
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._answer: asyncio.Future[int] | None = None

    async def ask(self, message: bytes) -> tuple[int, bytes]:
        loop = asyncio.get_running_loop()
        limit = loop.call_later(LIMIT, self._fail, "no answer in time")
        try:
            if self._transport is None or self._transport.is_closing():
                await loop.create_connection(lambda: self, self.host, self.port)
            assert self._transport is not None
            self._body.clear()
            self._answer = loop.create_future()
            self._transport.write(message)
            status = await self._answer
        except OSError:
            self.close()
            return NO_ANSWER, b""
        finally:
            limit.cancel()
        return status, b"".join(self._body)

    async def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """One call that is not measured: JSON in, JSON out."""
        head = Head(self.base, method, path, headers)
        status, found = await self.ask(head.bare() if body is None else head.with_body(body))
        return status, parse(found)

    def close(self) -> None:
        if self._transport:
            self._transport.abort()
        self._transport = None

    def _fail(self, reason: str) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError(reason))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.connection_lost(ConnectionError(str(error)))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._fail(str(error))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())


def parse(body: bytes) -> Any:
    """None when it is no JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return None
