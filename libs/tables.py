"""What a service with tables has: a database, and the loops that its tables call for."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from .app import ServiceContext
from .config import DatabaseSettings
from .consumer import EventConsumer, Handlers, Prepare
from .database_errors import on_database_error
from .db import Database
from .errors import MIGRATIONS_PENDING
from .events import TOPICS
from .health import Check, NotReady, broker_check
from .idempotency import IdempotencyMixin
from .inbox import InboxMixin
from .outbox import OUTBOX, Outbox
from .pruning import Pruner
from .relay import OutboxRelay
from .sql import fetch_one


@dataclass(frozen=True)
class Tables:
    """The shared kinds of table that a service has; `root` is the folder of its alembic.ini."""

    root: Path
    outbox: Outbox | None = None
    inbox: type[InboxMixin] | None = None
    idempotency: type[IdempotencyMixin] | None = None
    handlers: Handlers = field(default_factory=dict)
    """What each event does; they need an inbox."""
    prepare: Prepare | None = None

    def add_error_handlers(self, app: FastAPI) -> None:
        app.add_exception_handler(SQLAlchemyError, on_database_error)
        app.add_exception_handler(TimeoutError, on_database_error)

    def open(self, context: ServiceContext[Any]) -> Database:
        """The database, to be closed with the context, its check, and the loops."""
        settings: DatabaseSettings = context.settings
        database = Database(settings, context.name)
        context.resources.push_async_callback(database.close)
        context.checks.append(_database_check(database, context.name, self.root / "migrations"))
        if self.outbox:
            self._add_loops(context, settings, database, self.outbox)
        return database

    def _add_loops(
        self,
        context: ServiceContext[Any],
        settings: DatabaseSettings,
        database: Database,
        outbox: Outbox,
    ) -> None:
        context.checks.append(broker_check(settings.kafka_bootstrap))
        relay = context.add_loop("relay", OutboxRelay(settings, context.name, TOPICS).run)
        database.on_commit(OUTBOX, relay.wake)
        pruner = Pruner(
            database,
            settings,
            outbox=outbox.table,
            inbox=self.inbox,
            idempotency=self.idempotency,
        )
        context.add_loop("pruner", pruner.run)
        if self.handlers and self.inbox:
            consumer = EventConsumer(
                settings,
                database,
                handlers=self.handlers,
                outbox=outbox,
                inbox=self.inbox,
                prepare=self.prepare,
            )
            context.add_loop("consumer", consumer.run)


def _database_check(database: Database, schema: str, migrations: Path) -> Check:
    """The database answers and is migrated to the newest version that this code knows."""
    head = _newest_revision(migrations / "versions")
    statement = f'SELECT version_num FROM "{schema}".alembic_version'  # noqa: S608

    async def run() -> None:
        try:
            async with database.autocommit() as reader:
                current = await fetch_one(reader, statement)
        except ProgrammingError:
            raise NotReady(MIGRATIONS_PENDING) from None
        if current is None or current["version_num"] != head:
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
