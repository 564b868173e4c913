"""Whether a server answers in its own protocol; each check is one short exchange on loopback."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Check = Callable[[], Awaitable[bool]]

LIMIT = 2.0


@asynccontextmanager
async def _connection(
    port: int,
) -> "AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]":
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def ask(port: int, request: bytes, expected: bytes) -> bool:
    """Sends `request` and says whether the answer begins with `expected`."""
    try:
        async with asyncio.timeout(LIMIT), _connection(port) as (reader, writer):
            writer.write(request)
            return await reader.readexactly(len(expected)) == expected
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def http_status(port: int, path: str) -> int:
    """The status of a GET; 0 when nothing answers."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(LIMIT), _connection(port) as (reader, writer):
            writer.write(request.encode())
            line = await reader.readline()
            return int(line.split()[1])
    except (OSError, TimeoutError, ValueError, IndexError):
        return 0


def postgres(port: int, user: str, database: str) -> Check:
    """Postgres accepts connections once it asks for a password; before, it sends an error."""
    fields = f"user\0{user}\0database\0{database}\0\0".encode()
    startup = struct.pack(">ii", len(fields) + 8, 196608) + fields
    return lambda: ask(port, startup, b"R")


def valkey(port: int) -> Check:
    return lambda: ask(port, b"PING\r\n", b"+PONG")


def kafka(port: int) -> Check:
    api_versions = struct.pack(">ihhih", 10, 18, 0, 1, -1)
    return lambda: ask(port, api_versions, b"\0\0")


def smtp(port: int) -> Check:
    return lambda: ask(port, b"", b"220")


def http(port: int, path: str, statuses: tuple[int, ...] = (200,)) -> Check:
    async def check() -> bool:
        return await http_status(port, path) in statuses

    return check


def s3(port: int) -> Check:
    """It refuses a request without a signature, and how depends on the version."""
    return http(port, "/", (200, 400, 403))


async def until(check: Check, every: float = 0.02) -> None:
    while not await check():  # noqa: ASYNC110 - another process has no event to wait for
        await asyncio.sleep(every)
