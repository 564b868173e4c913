"""A stack in which every service runs twice, behind one gateway."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.havoc.shop import Opening, Shop
from scripts.localstack.state import Folder
from scripts.stacks import target_of
from tests.support.gateway import ReplicaGateway
from tests.support.plain_http import plain_client
from tests.support.processes import ServiceProcess

Json = dict[str, Any]
TAKES_OVER = {"OUTBOX_POLL_INTERVAL": "0.2"}


def make_copies(stack: Mapping[str, Any]) -> dict[str, ServiceProcess]:
    """A second one of each service. They call each other, so that they do without the first."""
    copies = {name: ServiceProcess(name, stack["env"], **TAKES_OVER) for name in stack["services"]}
    bases = {f"{name.upper()}_BASE": copy.url for name, copy in copies.items()}
    for copy in copies.values():
        copy.env |= bases
    return copies


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
        async with plain_client(url) as client:
            health: Json = (await client.get("/health")).json()
            return health
