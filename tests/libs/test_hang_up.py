"""A broker that hangs up just as something is sent to it, in the event loop of the services."""

import asyncio
import socket
import struct

import uvloop
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

import libs.kafka  # noqa: F401  # whose connections these are

_VERSIONS = struct.pack(">hi hhh hhh", 0, 2, 18, 0, 0, 3, 0, 1)
"""No error; two calls, ApiVersions (18) and Metadata (3), each with its versions."""
_RESET = struct.pack("ii", 1, 0)
"""Linger for no second: the connection ends with a reset."""


async def _greet_and_reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    greeting = await _read_request(reader)
    answer = greeting[4:8] + _VERSIONS  # the request's correlation id comes first
    writer.write(struct.pack(">i", len(answer)) + answer)
    await _read_request(reader)
    end = writer.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(size)


async def _send_at_each_turn_until_the_broker_hangs_up() -> list[object]:
    server = await asyncio.start_server(_greet_and_reset, "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        host, port = server.sockets[0].getsockname()
        connection = await create_conn(host, port)
        sent = []
        try:
            while True:
                sent.append(connection.send(MetadataRequest([])))
                await asyncio.sleep(0)
        except KafkaConnectionError:
            return list(await asyncio.gather(*sent, return_exceptions=True))


def test_what_is_sent_then_fails_as_with_any_lost_connection() -> None:
    """Whatever the turn of the loop: an error that aiokafka doesn't know would end its tasks."""
    answers = uvloop.run(_send_at_each_turn_until_the_broker_hangs_up())
    assert answers
    assert {type(answer) for answer in answers} == {KafkaConnectionError}
