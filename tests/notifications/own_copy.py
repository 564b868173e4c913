"""A copy of Notifications beside the stack's: a database of its own, no broker (so that it takes
no events from the stack's), an odd mail server, and short waits."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from libs.db import Database
from libs.events import Event, EventData, PaymentSucceeded
from services.notifications.app.service import queue_mail
from tests.support.database import Query, make_query
from tests.support.databases import migrated_database, open_database
from tests.support.plain_http import plain_client
from tests.support.processes import APART, ServiceProcess
from tests.support.waiting import PATIENCE, eventually

from .odd_smtp import OddServer
from .samples import make_event, new_address

Stack = dict[str, Any]

WAITS = {
    "SMTP_TIMEOUT": "1",
    "MAIL_LEASE": "60",
    "MAIL_RETRY_FIRST": "0.2",
    "MAIL_RETRY_MOST": "1",
    "MAIL_POLL_INTERVAL": "0.1",
}
_STATE = (
    "SELECT status, attempts, failure, last_error FROM notifications.mails WHERE recipient = %s"
)
_COUNT = "SELECT count(*) FROM notifications.mails WHERE status = %s AND recipient = ANY(%s)"


@dataclass
class OwnCopy:
    server: OddServer
    env: Mapping[str, str]
    database: Database
    query: Query
    url: str = ""

    def another(self, **changes: str) -> ServiceProcess:
        return ServiceProcess("notifications", self.env, **changes)

    async def post(self, *recipients: str, data: EventData | None = None) -> None:
        """Queue a mail to each, in one transaction and in this order."""
        async with self.database.transaction() as transaction:
            for recipient in recipients:
                what = data or make_event(PaymentSucceeded, email=recipient)
                await queue_mail(transaction, Event(uuid4(), datetime.now(UTC), "", what))

    async def state(self, recipient: str) -> tuple[str, int, str | None, str | None]:
        """(status, attempts, failure, last_error)"""
        row: tuple[str, int, str | None, str | None] = (await self.query(_STATE, recipient))[0]
        return row

    async def wait_for(
        self, status: str, recipients: Iterable[str], within: float = PATIENCE
    ) -> None:
        wanted = list(recipients)

        async def reached() -> bool:
            return [(len(wanted),)] == await self.query(_COUNT, status, wanted)

        await eventually(reached, within=within, what=f"{len(wanted)} mails {status}")

    async def health(self) -> dict[str, Any]:
        async with plain_client(self.url) as client:
            response = await client.get("/health")
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body


@asynccontextmanager
async def own_database(stack: Stack, server: OddServer, query: Query) -> AsyncIterator[OwnCopy]:
    """Migrated, with no copy running yet."""
    dsn = await migrated_database(stack, query, "notifications")
    places = {"POSTGRES_DSN": dsn, "SMTP_PORT": str(server.port), **APART}
    env = stack["env"] | places | WAITS
    try:
        async with open_database(dsn) as database:
            yield OwnCopy(server, env, database, make_query(dsn))
    finally:
        await query(f"DROP DATABASE {dsn.rpartition('/')[2]} WITH (FORCE)")


def new_addresses(count: int) -> list[str]:
    return [new_address() for _ in range(count)]
