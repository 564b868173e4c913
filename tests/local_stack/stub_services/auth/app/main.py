"""A service that only shows what reached it."""

import os
from typing import Any


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = b"".join(b"%b: %b\n" % pair for pair in scope["headers"])
    path = scope["path"].encode()
    body = b"pid: %d\npath: %b\n%b" % (os.getpid(), path, headers)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
