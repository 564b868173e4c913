"""Deletes what is older than its retention: published events, claimed ids, idempotency keys."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, delete, func, literal, literal_column, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from .config import DatabaseSettings
from .db import Database
from .idempotency import RETENTION_SECONDS, IdempotencyMixin
from .inbox import InboxMixin
from .loops import Loop
from .outbox import OutboxMixin

_EVERY_SECONDS = 25.0
_BATCH = 5000


@dataclass(frozen=True)
class _Rule:
    key: tuple[InstrumentedAttribute[object], ...]
    expired: ColumnElement[bool]


class Pruner:
    """One loop a service; small batches, so that no delete holds its locks for long."""

    def __init__(
        self,
        database: Database,
        settings: DatabaseSettings,
        *,
        outbox: type[OutboxMixin],
        inbox: type[InboxMixin] | None,
        idempotency: type[IdempotencyMixin] | None,
    ) -> None:
        self._database = database
        retention = settings.outbox_retention
        self._rules = [_Rule((_column(outbox.id),), outbox.published_at < _ago(retention))]
        if inbox:
            old = inbox.received_at < _ago(settings.inbox_retention)
            self._rules.append(_Rule((_column(inbox.event_id),), old))
        if idempotency:
            key = (idempotency.user_id, idempotency.route, idempotency.key)
            old = idempotency.created_at < _ago(RETENTION_SECONDS)
            self._rules.append(_Rule(tuple(_column(part) for part in key), old))

    async def run(self, loop: Loop) -> None:
        while True:
            for rule in self._rules:
                while await self._prune(rule) == _BATCH:
                    loop.progressed()
                    loop.checkpoint()
            loop.progressed()
            await loop.sleep(_EVERY_SECONDS)

    async def _prune(self, rule: _Rule) -> int:
        table = rule.key[0].class_
        old = select(*rule.key).where(rule.expired).limit(literal_column(str(_BATCH)))
        old = old.with_for_update(skip_locked=True)
        async with self._database.session() as session:
            result = await session.execute(delete(table).where(_tuple(rule.key).in_(old)))
        return int(getattr(result, "rowcount", 0))


def _tuple(key: tuple[InstrumentedAttribute[object], ...]) -> ColumnElement[Any]:
    return key[0].expression if len(key) == 1 else cast("ColumnElement[Any]", tuple_(*key))


def _ago(seconds: float) -> ColumnElement[datetime]:
    """In the statement itself: a planner that does not know how old reads the whole table."""
    return func.now() - literal(timedelta(seconds=seconds), literal_execute=True)


def _column(attribute: Any) -> InstrumentedAttribute[object]:
    column: InstrumentedAttribute[object] = attribute
    return column
