"""Transactional outbox: an event is a row in the transaction of the change that it tells of."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, Index, Integer, LargeBinary, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from .events import EventData, encode
from .sql import run, table_name
from .unit_of_work import Transaction

OUTBOX = "outbox"


class OutboxMixin:
    """The outbox's columns; a service declares `class OutboxMessage(OutboxMixin, Base)`.

    A published row keeps the partition and offset that the broker gave it, so that the relay
    can tell, for `OUTBOX_RETENTION`, when a broker has lost it.
    """

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[UUID] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    key: Mapped[bytes | None] = mapped_column(LargeBinary)
    value: Mapped[bytes | None] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    partition: Mapped[int | None] = mapped_column(Integer)
    offset: Mapped[int | None] = mapped_column(BigInteger)
    refused: Mapped[str | None] = mapped_column(Text)
    """Why the broker can never take this one; it stays unpublished, out of the others' way."""

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        return (
            Index("ix_outbox_unpublished", "id", postgresql_where=text("published_at IS NULL")),
            Index("ix_outbox_position", "topic", "partition", "offset"),
            Index("ix_outbox_published_at", "published_at"),
        )


class Outbox:
    """Adds events to a service's outbox table.

    Lock the aggregate's row before adding its event: rows get their ids in that order, and the
    relay publishes in the order of ids, so one order's events stay in order.
    """

    def __init__(self, service: str, table: type[OutboxMixin]) -> None:
        self.service = service
        self.table = table
        self._statement = f"""
            INSERT INTO {table_name(table)} (event_id, type, topic, key, value, headers)
            SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bytea[], %s::bytea[],
                                 %s::jsonb[])"""  # noqa: S608

    def add(self, transaction: Transaction, data: EventData) -> None:
        """Record `data` to be published once this transaction has committed."""
        event_id, value = encode(data, service=self.service)
        key = str(data.order_id).encode()
        self.add_message(transaction, event_id, data.type, data.topic, key=key, value=value)

    def add_message(
        self,
        transaction: Transaction,
        event_id: UUID,
        event_type: str,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Record a message as it is; for dead letters, which keep their original bytes."""
        row = (event_id, event_type, topic, key, value, json.dumps(headers or {}))
        transaction.pending.setdefault(OUTBOX, []).append(row)
        transaction.before_commit(self._insert)
        transaction.queues.add(OUTBOX)

    async def _insert(self, transaction: Transaction) -> None:
        """All of the transaction's rows in one statement, which numbers them as they were added."""
        columns = zip(*transaction.pending.pop(OUTBOX), strict=True)
        await run(transaction, self._statement, [list(column) for column in columns])
