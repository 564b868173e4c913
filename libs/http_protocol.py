"""uvicorn's HTTP protocol, whose answers leave in one piece, and which ends politely:
`uvicorn --http libs.http_protocol:Protocol`."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LAST_REQUEST_SECONDS = 1.0


class Protocol(HttpToolsProtocol):
    """uvicorn writes the head of an answer and its body one after the other, and its loop sends
    each at once: two packets, for each of which the receiver is woken.

    When it stops it closes the connections that wait for their next request, and one that is on
    its way is lost; a gateway can't know whether it may send it again. Here it is answered still,
    as the last one: its client is told so. Only a connection that nobody has used for a second is
    closed without a word.
    """

    _stopping = False

    def shutdown(self) -> None:
        self._stopping = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LAST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._stopping and self.cycle:
            self.cycle.keep_alive = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", _Joining(transport, self.loop)))


class _Joining:
    """A transport that keeps what is written until the next write, or the loop's next turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._kept: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._kept is None:
            self._kept = data
            self._loop.call_soon(self._flush)
        else:
            kept, self._kept = self._kept, None
            self._send(kept + data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._kept is not None:
            kept, self._kept = self._kept, None
            self._send(kept)

    def _send(self, data: bytes) -> None:
        if not self._transport.is_closing():  # uvloop raises there, when the peer has hung up
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
