"""A gateway of a test's own, with the stack's routes, before several copies of each service."""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx

from scripts.localstack.plan import Options, Plan
from scripts.localstack.ports import Ports
from scripts.localstack.servers import gateway

from .plain_http import plain_client
from .processes import free_port
from .waiting import eventually


class ReplicaGateway:
    """`urls` are those of each service's copies."""

    def __init__(self, folder: Path, urls: Mapping[str, Sequence[str]]) -> None:
        ports = Ports({name: free_port() for name in ("gateway", "dashboard", *urls)})
        plan = Plan(Options(folder), tuple(urls), ports, logs=folder)
        plan.data.mkdir(exist_ok=True)
        self.url = plan.url("gateway")
        self._dashboard = plan.url("dashboard")
        self._command = gateway(plan)
        self._urls = {f"{name.upper()}_URL": ",".join(copies) for name, copies in urls.items()}
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command.argv,
            cwd=self._command.cwd,
            env={**self._command.env, **self._urls},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await eventually(self._routes, what="a gateway that routes")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    async def counts_on_both(self, name: str) -> bool:
        """It looks every second: only then may the other copy be stopped."""
        async with plain_client(self._dashboard) as client:
            service = (await client.get(f"/api/http/services/{name}@file")).json()
        return set(service["serverStatus"].values()) == {"UP"}

    async def _routes(self) -> bool:
        async with plain_client(self.url) as client:
            with suppress(httpx.TransportError):
                return (await client.get("/auth/livez")).status_code == 200
        return False
