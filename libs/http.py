"""HTTP between services: one client a process, the internal key and the request id go along."""

import asyncio
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from pydantic_core import from_json, to_json

from .config import ServiceSettings
from .errors import RETRY_AFTER_SECONDS, Unavailable
from .logging import fields, get_logger, request_id_var

log = get_logger(__name__)

_KEEPALIVE_SECONDS = 30
"""Shorter than the services' own (120 s), so that no connection is closed as it is reused."""


class DependencyUnavailable(Unavailable):
    """Another service is away, slow or failing; nothing is known about what it did."""

    code = "dependency_unavailable"


@dataclass(frozen=True, slots=True)
class Answer:
    """A service's answer: a success, or a refusal that the caller knows."""

    status_code: int
    content: bytes

    def json(self) -> Any:
        return from_json(self.content)


class ServiceClient:
    """Calls one other service. Internal calls are idempotent, so a cut connection is retried."""

    def __init__(self, session: aiohttp.ClientSession, name: str, base_url: str) -> None:
        self._session = session
        self.name = name
        self._base_url = base_url

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        refusals: Container[int] = (),
    ) -> Answer:
        query = f"?{urlencode(params, doseq=True)}" if params else ""
        return await self.request("GET", path + query, refusals=refusals)

    async def post(self, path: str, json: Any = None, *, refusals: Container[int] = ()) -> Answer:
        return await self.request("POST", path, json=json, refusals=refusals)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        timeout: float | None = None,
        refusals: Container[int] = (),
    ) -> Answer:
        """The answer, if it is a success or one of the statuses that the caller knows.

        `timeout` is in seconds and for all of it, a second try included. Raises
        DependencyUnavailable otherwise: what else comes (from a proxy, or an older replica) tells
        nothing of what was asked.
        """
        body = None if json is None else to_json(json)
        limit = self._session.timeout.total if timeout is None else timeout
        try:
            async with asyncio.timeout(limit):
                answer = await self._send(method, self._base_url + path, body)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unavailable(type(error).__name__) from error
        if not (200 <= answer.status_code < 300 or answer.status_code in refusals):
            raise self._unavailable(f"status {answer.status_code}")
        return answer

    async def _send(self, method: str, url: str, body: bytes | None) -> Answer:
        try:
            return await self._ask(method, url, body)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            # aiohttp itself asks such a one again, if its answer has not begun.
            if method == "GET" and not isinstance(error, aiohttp.ClientPayloadError):
                raise
            return await self._ask(method, url, body)

    async def _ask(self, method: str, url: str, body: bytes | None) -> Answer:
        headers = {"X-Request-ID": request_id_var.get()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        async with self._session.request(
            method, url, data=body, headers=headers, allow_redirects=False
        ) as response:
            return Answer(response.status, await response.read())

    def _unavailable(self, reason: str) -> DependencyUnavailable:
        log.warning("dependency unavailable", extra=fields(dependency=self.name, reason=reason))
        return DependencyUnavailable(
            f"The {self.name} service can't be reached; try again in {RETRY_AFTER_SECONDS} s."
        )


def open_session(settings: ServiceSettings) -> aiohttp.ClientSession:
    """To be closed; needs a running event loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=_KEEPALIVE_SECONDS),
        headers={"X-Internal-Key": settings.svc_internal_key.get_secret_value()},
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
        timeout=aiohttp.ClientTimeout(total=settings.http_timeout, sock_connect=2),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
