"""A Redis that hangs up just as something is sent to it, in the event loop of the services."""

import asyncio
import random
import socket
import struct
import time
from collections.abc import Awaitable
from contextlib import suppress
from threading import Thread
from typing import Self

import uvloop
from redis.asyncio import Redis

from services.cart.app.config import CartSettings
from services.cart.app.exceptions import CartStoreUnavailable
from services.cart.app.store import CartStore, make_pool

_RESET = struct.pack("ii", 1, 0)
"""Linger for no second: the connection ends with a reset."""
_CALLERS = 16


class RestlessServer:
    """Every cart is empty, and a connection lasts for a moment only; on a thread of its own, so
    that it ends in any turn of its client's loop."""

    def __init__(self) -> None:
        self.hung_up = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = "redis://{}:{}/0".format(*self._socket.getsockname())

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        end = time.monotonic() + random.uniform(0.02, 0.03)
        with suppress(TimeoutError, ConnectionError):
            while (left := end - time.monotonic()) > 0:
                connection.settimeout(left)
                said = connection.recv(65536)
                if not said:
                    break
                answer = b"*0\r\n" if b"HGETALL" in said else b"+OK\r\n" * said.count(b"*")
                connection.sendall(answer)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.close()
        self.hung_up += 1


async def _call_until(hung_up: int) -> set[str]:
    with RestlessServer() as server:
        pool = make_pool(CartSettings(redis_url=server.url))
        async with Redis.from_pool(pool) as redis, asyncio.timeout(60):
            store = CartStore(redis, ttl=60)

            async def call() -> set[str]:
                ends = set()
                while server.hung_up < hung_up:
                    ends.add(await _end_of(store.get(1)))
                return ends

            return set().union(*await asyncio.gather(*(call() for _ in range(_CALLERS))))


async def _end_of(call: Awaitable[object]) -> str:
    try:
        await call
    except CartStoreUnavailable:
        return "unavailable"
    except Exception as error:
        return repr(error)
    return "answered"


def test_a_call_has_its_answer_or_is_told_that_the_store_is_away() -> None:
    """And ends in no other way, whatever the turn of the loop in which the connection went."""
    ends = uvloop.run(_call_until(hung_up=300))
    assert ends - {"unavailable"} == {"answered"}
