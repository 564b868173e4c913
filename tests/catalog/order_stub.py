"""A stand-in for Order's claim call, which can be away and come back on the same port."""

import asyncio
import json
import re
from uuid import UUID

from tests.support.processes import free_port


class OrderStub:
    def __init__(self) -> None:
        self.port = free_port()
        self.orders: dict[UUID, int] = {}
        self.asked: list[UUID] = []
        self.failing: set[UUID] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = re.match(r"POST /internal/reservations/(\S+)/claim HTTP", head)
        assert path, head
        assert "x-internal-key: devkey" in head.lower()
        reservation_id = UUID(path[1])
        self.asked.append(reservation_id)
        body = json.dumps({"order_id": self.orders.get(reservation_id)}).encode()
        status = "500 Internal Server Error" if reservation_id in self.failing else "200 OK"
        answer = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        writer.write(f"{answer}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
