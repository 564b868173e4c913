"""HTTP between services: one client a process, the internal key and the request id go along."""

import asyncio
from collections.abc import Container, Mapping
from typing import Any

import httpx

from .config import ServiceSettings
from .errors import RETRY_AFTER_SECONDS, Unavailable
from .logging import fields, get_logger, request_id_var

log = get_logger(__name__)

_KEEPALIVE_SECONDS = 30
"""Shorter than the services' own (120 s), so that no connection is closed as it is reused."""


class DependencyUnavailable(Unavailable):
    """Another service is away, slow or failing; nothing is known about what it did."""

    code = "dependency_unavailable"


class ServiceClient:
    """Calls one other service. Internal calls are idempotent, so a cut connection is retried."""

    def __init__(self, client: httpx.AsyncClient, name: str, base_url: str) -> None:
        self._client = client
        self.name = name
        self._base_url = base_url

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        refusals: Container[int] = (),
    ) -> httpx.Response:
        return await self.request("GET", path, params=params, refusals=refusals)

    async def post(
        self, path: str, json: Any = None, *, refusals: Container[int] = ()
    ) -> httpx.Response:
        return await self.request("POST", path, json=json, refusals=refusals)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        refusals: Container[int] = (),
    ) -> httpx.Response:
        """The answer, if it is a success or one of the statuses that the caller knows.

        `timeout` is for all of it; httpx's own is for each part, so that an answer that comes byte
        by byte would never be too late. Raises DependencyUnavailable otherwise: what else comes
        (from a proxy, or an older replica) tells nothing of what was asked.
        """
        limit = timeout if timeout is not None else self._client.timeout.read
        request = self._client.build_request(
            method,
            self._base_url + path,
            json=json,
            params=params,
            headers={"X-Request-ID": request_id_var.get()},
        )
        try:
            async with asyncio.timeout(limit):
                response = await self._send(request)
        except (httpx.TransportError, TimeoutError) as error:
            raise self._unavailable(type(error).__name__) from error
        if not (response.is_success or response.status_code in refusals):
            raise self._unavailable(f"status {response.status_code}")
        return response

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._client.send(request)
        except httpx.TimeoutException:
            raise
        except httpx.TransportError:
            return await self._client.send(request)

    def _unavailable(self, reason: str) -> DependencyUnavailable:
        log.warning("dependency unavailable", extra=fields(dependency=self.name, reason=reason))
        return DependencyUnavailable(
            f"The {self.name} service can't be reached; try again in {RETRY_AFTER_SECONDS} s."
        )


def make_http_client(settings: ServiceSettings) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        headers={"X-Internal-Key": settings.svc_internal_key.get_secret_value()},
        timeout=httpx.Timeout(settings.http_timeout, connect=2),
        limits=httpx.Limits(
            max_connections=100,
            max_keepalive_connections=50,
            keepalive_expiry=_KEEPALIVE_SECONDS,
        ),
        trust_env=False,
    )
