"""The mail queue: one mail an event, kept after it was sent."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Text, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.db import CreatedAt, schema_metadata
from libs.inbox import InboxMixin
from libs.outbox import Outbox, OutboxMixin

MAILS = "mails"


class Base(DeclarativeBase):
    metadata = schema_metadata("notifications")


class OutboxMessage(OutboxMixin, Base):
    """Holds dead letters only; Notifications has no events of its own."""


class InboxMessage(InboxMixin, Base):
    pass


outbox = Outbox("notifications", OutboxMessage)


class MailStatus(StrEnum):
    QUEUED = "QUEUED"
    SENT = "SENT"
    FAILED = "FAILED"


class Mail(CreatedAt, Base):
    """A mail as it goes out; `leased_until` keeps other replicas off while one sends it."""

    __tablename__ = "mails"
    __table_args__ = (
        Index("ix_mails_queued", "id", postgresql_where=text("status = 'QUEUED'")),
        Index("ix_mails_user_id", "user_id", "id"),
        CheckConstraint("status IN ('QUEUED', 'SENT', 'FAILED')", name="status"),
        CheckConstraint("(status = 'SENT') = (sent_at IS NOT NULL)", name="sent"),
        CheckConstraint("(status = 'FAILED') = (failure IS NOT NULL)", name="failure"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[UUID] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(Text)
    order_id: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(BigInteger)
    to: Mapped[str] = mapped_column("recipient", Text)
    subject: Mapped[str] = mapped_column(Text)
    plain: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    dated: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    status: Mapped[str] = mapped_column(Text, server_default=MailStatus.QUEUED)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    unconfirmed: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )
    leased_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str | None] = mapped_column(Text)
    failure: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
