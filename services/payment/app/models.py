"""Payment's ledger: a row an order to lock, and the payments made for it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Identity,
    Index,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.db import CreatedAt, schema_metadata
from libs.idempotency import IdempotencyMixin
from libs.inbox import InboxMixin
from libs.outbox import Outbox, OutboxMixin


class Base(DeclarativeBase):
    metadata = schema_metadata("payment")


class OutboxMessage(OutboxMixin, Base):
    pass


class InboxMessage(InboxMixin, Base):
    pass


class IdempotencyKey(IdempotencyMixin, Base):
    pass


outbox = Outbox("payment", OutboxMessage)


class PaymentStatus(StrEnum):
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"


class LedgerOrder(Base):
    """What Payment knows of an order; its row lock decides between a payment and a cancellation."""

    __tablename__ = "ledger_orders"

    order_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    cancelled: Mapped[bool] = mapped_column(server_default=false())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Payment(CreatedAt, Base):
    """One attempt to pay; an order has one success at most, and that is refunded once at most."""

    __tablename__ = "payments"
    __table_args__ = (
        Index(
            "uq_payments_one_success",
            "order_id",
            unique=True,
            postgresql_where=text("status <> 'FAILED'"),
        ),
        Index("ix_payments_order_id", "order_id", "id"),
        Index("ix_payments_user_id", "user_id", "id"),
        CheckConstraint("status IN ('SUCCEEDED', 'FAILED', 'REFUNDED')", name="status"),
        CheckConstraint("(status = 'REFUNDED') = (refunded_at IS NOT NULL)", name="refund"),
        CheckConstraint("amount_cents >= 0", name="amount"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(BigInteger)
    email: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    refunded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def refund(self, now: datetime) -> bool:
        """Give the money back; False when that was done before."""
        if self.status != PaymentStatus.SUCCEEDED:
            return False
        self.status = PaymentStatus.REFUNDED
        self.refunded_at = now
        return True
