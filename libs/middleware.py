"""The one middleware of every service, plain ASGI: request id, guards of the door, access log."""

import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import Invalid, NotFound, internal_error, problem_response
from .logging import fields, get_logger, request_id_var
from .metrics import REQUESTS

log = get_logger("access")

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_INTERNAL_PATHS = re.compile(r"/(internal|metrics)(/|$)", re.IGNORECASE)
_CLIENT_CLOSED_REQUEST = 499
_QUIET_PATHS = ("/livez", "/health", "/metrics")


class RequestMiddleware:
    """Gives each request its id, refuses what may not come in, and never lets an error out."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._times = {family: REQUESTS.labels(service, f"{family}xx") for family in range(6)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not _SANE_REQUEST_ID.fullmatch(request_id):
            request_id = uuid4().hex
        request_id_var.set(request_id)
        _drop_trailing_slash(scope)
        await self._answer(scope, receive, send, headers, request_id)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, request_id: str
    ) -> None:
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            if refusal := _refusal(scope, headers):
                response = problem_response(Request(scope), refusal)
                await response(scope, receive, send_with_id)
            else:
                await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = status or _CLIENT_CLOSED_REQUEST
        except Exception as error:
            response = internal_error(Request(scope), error)
            if not status:
                await response(scope, receive, send_with_id)
        finally:
            self._log(scope, status, time.perf_counter() - started)

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        self._times[status // 100].observe(seconds)
        path: str = scope["path"]
        if path.endswith(_QUIET_PATHS) and status < 400:
            return
        log.info(
            "%s %s %s",
            scope["method"],
            path,
            status,
            extra=fields(status=status, milliseconds=round(seconds * 1000, 1)),
        )


def _refusal(scope: Scope, headers: Headers) -> NotFound | Invalid | None:
    path: str = scope["path"]
    if "x-forwarded-prefix" in headers and _INTERNAL_PATHS.search(path):
        return NotFound("There is nothing at this path.")
    if "\x00" in path or b"%00" in scope["query_string"]:
        return Invalid("NUL characters are not allowed in a path or a query.")
    return None


def _drop_trailing_slash(scope: Scope) -> None:
    """Collections answer with and without the slash, without a redirect."""
    path: str = scope["path"]
    if path.endswith("/") and len(path) > 1:
        scope["path"] = path[:-1]
