"""How the parts of a running stack are, asked one by one."""

import asyncio

from . import postgres, ready
from .state import StackInfo


async def statuses(info: StackInfo) -> dict[str, str]:
    """`ok`, or what is wrong, for each service and server."""
    checks = {**_servers(info), **_services(info)}
    results = await asyncio.gather(*(check() for check in checks.values()))
    return {
        name: "ok" if fine else "does not answer" if name in info["servers"] else "not healthy"
        for name, fine in zip(checks, results, strict=True)
    }


def _servers(info: StackInfo) -> dict[str, ready.Check]:
    ports = {name: server["port"] for name, server in info["servers"].items()}
    return {
        "postgres": ready.postgres(ports["postgres"], postgres.USER, postgres.DATABASE),
        "valkey": ready.valkey(ports["valkey"]),
        "kafka": ready.kafka(ports["kafka"]),
        "s3": ready.s3(ports["s3"]),
        "smtp": ready.smtp(ports["mail"]),
        "gateway": ready.http(ports["gateway"], "/", (404,)),
    }


def _services(info: StackInfo) -> dict[str, ready.Check]:
    return {
        name: ready.http(service["port"], "/health") for name, service in info["services"].items()
    }
