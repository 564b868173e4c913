"""An answer's head and body leave in one packet, and none is lost at the end of a connection, nor
a request as its service stops."""

import socket
import struct
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

DATA_SEGMENTS_IN = struct.Struct("152xI")
"""`tcpi_data_segs_in` of Linux's `struct tcp_info`."""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", b"200 OK"),
        ("GET", "/nothing-here", b"404 Not Found"),
        ("HEAD", "/livez", b"405 Method Not Allowed"),
        ("GET", "/openapi.json", b"200 OK"),
    ],
)
@pytest.mark.parametrize("connection", ["keep-alive", "close"])
async def test_a_small_answer_is_one_packet(
    stack: dict[str, Any], method: str, path: str, status: bytes, connection: str
) -> None:
    place = urlsplit(stack["services"]["auth"]["url"])
    assert place.hostname
    assert place.port
    request = f"{method} {path} HTTP/1.1\r\nHost: auth\r\nConnection: {connection}\r\n\r\n"
    with socket.create_connection((place.hostname, place.port), timeout=10) as client:
        client.sendall(request.encode())
        answer = _read(client, body=method != "HEAD")
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, DATA_SEGMENTS_IN.size)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert len(answer) > 60_000 or DATA_SEGMENTS_IN.unpack(info) == (1,)


async def test_a_request_on_its_way_as_the_service_stops_is_answered_as_the_last_one(
    stack: dict[str, Any],
) -> None:
    """Whether its connection has carried one before or not."""
    request = b"GET /livez HTTP/1.1\r\nHost: cart\r\n\r\n"
    async with ServiceProcess("cart", stack["env"]) as copy:
        place = ("127.0.0.1", copy.port)

        async def takes_no_more_connections() -> bool:
            try:
                socket.create_connection(place, timeout=10).close()
            except ConnectionRefusedError:
                return True
            return False

        with (
            socket.create_connection(place, timeout=10) as used,
            socket.create_connection(place, timeout=10) as unused,
        ):
            used.sendall(request)
            assert b"connection: close" not in _read(used, body=True).lower()
            assert copy.process
            copy.process.terminate()
            await eventually(takes_no_more_connections)
            for client in (used, unused):
                client.sendall(request)
            for client in (used, unused):
                answer = _read(client, body=True)
                assert answer.startswith(b"HTTP/1.1 200 OK")
                assert b"connection: close" in answer.lower()
                assert client.recv(1) == b""


def _read(client: socket.socket, *, body: bool) -> bytes:
    answer = b""
    while not _is_complete(answer, body=body):
        part = client.recv(1 << 20)
        assert part, answer
        answer += part
    return answer


def _is_complete(answer: bytes, *, body: bool) -> bool:
    head, end, rest = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(
        (int(v) for n, _, v in (x.partition(b":") for x in lines) if n == b"content-length"), 0
    )
    return bool(end) and (not body or len(rest) == length)
