"""What a service needs and whether it is there: the checks behind `/health`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .logging import describe_error, fields, get_logger

if TYPE_CHECKING:
    from .http import ServiceClient

log = get_logger(__name__)

_CHECK_SECONDS = 2.0


class NotReady(Exception):  # noqa: N818
    """A check's own words for what is wrong; they are shown to everybody."""


@dataclass(frozen=True)
class Check:
    """`run` returns when all is well. `vital`: without it the service is unavailable (503)."""

    name: str
    run: Callable[[], Awaitable[None]]
    vital: bool = True


async def run_checks(checks: list[Check]) -> tuple[bool, dict[str, str]]:
    """(available, what each check says), all at once and each within a time limit."""
    results = await asyncio.gather(*(_outcome(check) for check in checks))
    said = {check.name: result for check, result in zip(checks, results, strict=True)}
    available = all(said[check.name] == "ok" for check in checks if check.vital)
    return available, said


async def _outcome(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check.run()
    except NotReady as reason:
        return str(reason)
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:.0f} s"
    except Exception as error:
        log.info("check failed", extra=fields(check=check.name, error=describe_error(error)))
        return f"unreachable ({type(error).__name__})"
    return "ok"


def broker_check(bootstrap: str) -> Check:
    """The broker takes connections; without it HTTP still works, and the outbox holds events."""
    host, _, port = bootstrap.split(",")[0].rpartition(":")

    async def run() -> None:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()

    return Check("broker", run, vital=False)


def service_check(client: "ServiceClient") -> Check:
    """Another service lives; without it the rest still works. Asks no further: no chain of
    health checks goes round in circles."""

    async def run() -> None:
        await client.get("/livez")

    return Check(client.name, run, vital=False)
