"""Idempotent consumer: an event's id is claimed in the transaction of its effect."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, func
from sqlalchemy.orm import Mapped, mapped_column

from .sql import run, table_name
from .unit_of_work import Transaction


class InboxMixin:
    """A service declares `class InboxMessage(InboxMixin, Base)`."""

    __tablename__ = "inbox"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), index=True
    )


async def claim(
    transaction: Transaction, table: type[InboxMixin], event_ids: Iterable[UUID]
) -> set[UUID]:
    """Claim the ids and return the ones that were new; the others have had their effect.

    Waits for a transaction that is claiming one of them just now, so that two copies of one
    event at once take effect once.
    """
    # Sorted: two transactions that claim the same ids lock them in one order.
    ids = sorted(set(event_ids))
    if not ids:
        return set()
    statement = f"""INSERT INTO {table_name(table)} (event_id) SELECT unnest(%s::uuid[])
        ON CONFLICT DO NOTHING RETURNING event_id"""
    claimed = await run(transaction, statement, (ids,))
    return {event_id for (event_id,) in await claimed.fetchall()}
