"""A proxy in front of a server that notes the calls that pass through it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import jwt

from .http_calls import Call, make_call


@contextmanager
def recording(server: str, calls: list[Call]) -> Iterator[str]:
    """The proxy's address; each call is added to `calls` once it is answered."""
    client = httpx.Client(base_url=server, timeout=30, trust_env=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            answer = client.request(self.command, self.path, content=body, headers=headers)
            calls.append(_noted(self, body, answer.status_code))
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Not to the tests' output."""

    with client, ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}"
        finally:
            proxy.shutdown()


def _noted(request: BaseHTTPRequestHandler, body: bytes, status: int) -> Call:
    internal = "always" if "X-Internal-Key" in request.headers else "never"
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return make_call(
        request.command,
        request.path,
        json.loads(body) if body else None,
        roles=[_role(token)] if token else [],
        internal=internal,
        statuses=[status],
    )


def _role(token: str) -> str:
    role: str = jwt.decode(token, options={"verify_signature": False})["role"]
    return role
