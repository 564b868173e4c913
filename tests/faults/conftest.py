"""A stack of its own in which every service runs twice, behind one gateway."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.havoc.shop import Opening, Shop
from scripts.localstack import LocalStack
from scripts.localstack.state import Folder
from scripts.stacks import target_of
from tests.support.gateway import ReplicaGateway
from tests.support.processes import ROOT, ServiceProcess

Json = dict[str, Any]
PATIENT = {"KAFKA_SESSION_TIMEOUT_MS": "5000"}
"""On a busy machine the local broker's groups of two fall apart with the usual 3 s."""
TAKES_OVER = {"OUTBOX_POLL_INTERVAL": "0.2"}


@dataclass
class Pair:
    """`folder` is the stack's; `copies` are the second ones, the first are the stack's own."""

    folder: Path
    gateway: ReplicaGateway
    copies: dict[str, ServiceProcess]

    @property
    def info(self) -> Json:
        """As it is now: pids change."""
        info = Folder(self.folder).read()
        assert info is not None
        return dict(info)

    async def open_shop(self, *, customers: int) -> Shop:
        target = replace(target_of(self.info), gateway=self.gateway.url)
        return await Opening(target).open(customers=customers, scarce=3)

    async def health(self, url: str) -> Json:
        async with httpx.AsyncClient(base_url=url, timeout=5) as client:
            health: Json = (await client.get("/health")).json()
            return health

    async def audit(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "scripts/audit.py", "--local", "--wait", "30"]
        return await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=ROOT,
            env={**os.environ, "LOCAL_STACK_DIR": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=90,
        )


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    stack = LocalStack(folder, port_base=19800, env=PATIENT, quiet=True)
    await asyncio.to_thread(stack.start)
    try:
        async with AsyncExitStack() as opened:
            services = stack.info["services"]
            copies = [ServiceProcess(name, stack.info["env"], **TAKES_OVER) for name in services]
            for copy in copies:  # all at once they would take each other's time
                await opened.enter_async_context(copy)
            urls = {copy.name: [services[copy.name]["url"], copy.url] for copy in copies}
            gateway = await opened.enter_async_context(ReplicaGateway(folder, urls))
            yield Pair(folder, gateway, {copy.name: copy for copy in copies})
    finally:
        await asyncio.to_thread(stack.stop)
