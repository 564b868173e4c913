"""Calls between services, to neighbours with bad manners."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from libs.config import ServiceSettings
from libs.http import DependencyUnavailable, ServiceClient, open_session
from tests.support.processes import free_port

Manners = Callable[[int, asyncio.StreamWriter], Awaitable[None]]
"""From the number of the request on its connection to what comes back."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Neighbour:
    def __init__(self, manners: Manners) -> None:
        self.port = free_port()
        self.connections = 0
        self._manners = manners

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = 0
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await self._manners(number, writer)
                number += 1
        except (asyncio.IncompleteReadError, OSError):
            writer.close()


@asynccontextmanager
async def client_of(neighbour: Neighbour, *, timeout: float = 5) -> AsyncIterator[ServiceClient]:
    server = await asyncio.start_server(neighbour.serve, "127.0.0.1", neighbour.port)
    async with server, open_session(ServiceSettings(http_timeout=timeout)) as http:
        yield ServiceClient(http, "neighbour", f"http://127.0.0.1:{neighbour.port}")


async def _answer_once(number: int, writer: asyncio.StreamWriter) -> None:
    if number == 0:
        writer.write(ANSWER)
    else:
        writer.close()


async def _hang_up(_: int, writer: asyncio.StreamWriter) -> None:
    writer.close()


def _break_off(times: int) -> Manners:
    """In the middle of an answer, so many times."""
    left = iter(range(times))

    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        if next(left, None) is None:
            writer.write(ANSWER)
        else:
            writer.write(ANSWER[:-1])
            writer.close()

    return answer


async def _trickle(_: int, writer: asyncio.StreamWriter) -> None:
    for byte in ANSWER:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.1)


async def test_a_connection_that_is_closed_just_as_it_is_used_again_costs_no_call() -> None:
    neighbour = Neighbour(_answer_once)
    async with client_of(neighbour) as client:
        answers = [await client.post("/internal/x", json={}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert neighbour.connections == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_neighbour_that_only_hangs_up_is_tried_twice_and_unavailable(method: str) -> None:
    neighbour = Neighbour(_hang_up)
    async with client_of(neighbour) as client:
        with pytest.raises(DependencyUnavailable):
            await client.request(method, "/internal/x")
    assert neighbour.connections == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_answer_that_breaks_off_costs_no_call(method: str) -> None:
    neighbour = Neighbour(_break_off(1))
    async with client_of(neighbour) as client:
        answer = await client.request(method, "/internal/x")
    assert (answer.status_code, answer.json()) == (200, {})
    assert neighbour.connections == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_neighbour_whose_answers_all_break_off_is_tried_twice_and_unavailable(
    method: str,
) -> None:
    neighbour = Neighbour(_break_off(9))
    async with client_of(neighbour) as client:
        with pytest.raises(DependencyUnavailable):
            await client.request(method, "/internal/x")
    assert neighbour.connections == 2


async def test_an_answer_that_comes_byte_by_byte_is_not_waited_for_longer_than_any_other() -> None:
    started = time.monotonic()
    async with client_of(Neighbour(_trickle), timeout=0.3) as client:
        with pytest.raises(DependencyUnavailable):
            await client.get("/internal/x")
        assert time.monotonic() - started < 1
