"""A stack in which every service runs twice, behind one gateway."""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from scripts.havoc.shop import Opening, Shop
from scripts.localstack.state import Folder
from scripts.stacks import target_of
from tests.support.gateway import ReplicaGateway
from tests.support.processes import ROOT, ServiceProcess

Json = dict[str, Any]


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
