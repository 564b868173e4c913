"""Idempotent consumer: an event's id is claimed in the transaction of its effect."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Uuid, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column


class InboxMixin:
    """A service declares `class InboxMessage(InboxMixin, Base)`."""

    __tablename__ = "inbox"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), index=True
    )


async def claim(
    session: AsyncSession, table: type[InboxMixin], event_ids: Iterable[UUID]
) -> set[UUID]:
    """Claim the ids and return the ones that were new; the others have had their effect.

    Waits for a transaction that is claiming one of them just now, so that two copies of one
    event at once take effect once.
    """
    # Sorted: two transactions that claim the same ids lock them in one order.
    ids = sorted(set(event_ids))
    if not ids:
        return set()
    new = select(func.unnest(literal(ids, ARRAY(Uuid))))
    statement = insert(table).from_select(["event_id"], new).on_conflict_do_nothing()
    return set(await session.scalars(statement.returning(table.event_id)))
