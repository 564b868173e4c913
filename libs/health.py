"""What a service needs and whether it is there: the checks behind `/health`."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from .db import Database
from .errors import MIGRATIONS_PENDING
from .http import ServiceClient
from .logging import describe_error, fields, get_logger

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


def database_check(database: Database, schema: str, migrations: Path) -> Check:
    """The database answers and is migrated to the newest version that this code knows."""
    head = _newest_revision(migrations / "versions")
    statement = text(f'SELECT version_num FROM "{schema}".alembic_version')  # noqa: S608

    async def run() -> None:
        try:
            async with database.transaction() as session:
                current = await session.scalar(statement)
        except ProgrammingError:
            raise NotReady(MIGRATIONS_PENDING) from None
        if current != head:
            raise NotReady(MIGRATIONS_PENDING)

    return Check("database", run)


def _newest_revision(versions: Path) -> str | None:
    """The revision that no other one follows, as the files themselves say."""
    revisions, followed = set(), set()
    for file in versions.glob("*.py"):
        source = file.read_text(encoding="utf-8")
        revisions.update(re.findall(r"""^revision[^=]*= ['"](\w+)['"]""", source, re.MULTILINE))
        followed.update(re.findall(r"""^down_revision[^=]*= ['"](\w+)['"]""", source, re.MULTILINE))
    return next(iter(revisions - followed), None)


def broker_check(bootstrap: str) -> Check:
    """The broker takes connections; without it HTTP still works, and the outbox holds events."""
    host, _, port = bootstrap.split(",")[0].rpartition(":")

    async def run() -> None:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()

    return Check("broker", run, vital=False)


def service_check(client: ServiceClient) -> Check:
    """Another service lives; without it the rest still works. Asks no further: no chain of
    health checks goes round in circles."""

    async def run() -> None:
        await client.get("/livez")

    return Check(client.name, run, vital=False)
