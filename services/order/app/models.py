"""Orders and their items, and which reservation ids are bound to an order or refused."""

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from libs.db import CreatedAt, schema_metadata
from libs.idempotency import IdempotencyMixin
from libs.inbox import InboxMixin
from libs.outbox import Outbox, OutboxMixin


class Base(DeclarativeBase):
    metadata = schema_metadata("order")


class OutboxMessage(OutboxMixin, Base):
    pass


class InboxMessage(InboxMixin, Base):
    pass


class IdempotencyKey(IdempotencyMixin, Base):
    pass


outbox = Outbox("order", OutboxMessage)


class OrderStatus(StrEnum):
    CREATED = "CREATED"
    PAID = "PAID"
    SHIPPED = "SHIPPED"
    CANCELLED = "CANCELLED"


class Order(CreatedAt, Base):
    """`CREATED → PAID → SHIPPED`, or `CANCELLED` from either of the first two."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("checkout_token"),
        UniqueConstraint("reservation_id"),
        CheckConstraint("status IN ('CREATED', 'PAID', 'SHIPPED', 'CANCELLED')", name="status"),
        CheckConstraint("total_cents >= 0", name="total"),
        CheckConstraint("(status = 'CANCELLED') = (cancelled_at IS NOT NULL)", name="cancelled"),
        Index("ix_orders_user_id", "user_id", "id"),
        Index("ix_orders_unpaid", "created_at", postgresql_where=text("status = 'CREATED'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    email: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    total_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    checkout_token: Mapped[str] = mapped_column(Text)
    reservation_id: Mapped[UUID]
    address_line1: Mapped[str] = mapped_column(Text)
    address_line2: Mapped[str] = mapped_column(Text)
    city: Mapped[str] = mapped_column(Text)
    country: Mapped[str] = mapped_column(Text)
    postcode: Mapped[str] = mapped_column(Text)
    paid_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    shipped_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cancelled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cancel_reason: Mapped[str | None] = mapped_column(Text)

    items: Mapped[list["OrderItem"]] = relationship(
        lazy="raise", order_by="OrderItem.product_id", passive_deletes=True
    )

    def mark_paid(self) -> bool:
        """CREATED → PAID; False when it is not waiting for a payment (any more)."""
        if self.status != OrderStatus.CREATED:
            return False
        self.status, self.paid_at = OrderStatus.PAID, datetime.now(UTC)
        return True

    def mark_shipped(self) -> bool:
        """PAID → SHIPPED; False when that was so before, or the order is cancelled."""
        if self.status != OrderStatus.PAID:
            return False
        self.status, self.shipped_at = OrderStatus.SHIPPED, datetime.now(UTC)
        return True

    def cancel(self, reason: str) -> bool:
        """→ CANCELLED, unless it is shipped or cancelled; False then."""
        if not self.is_cancellable:
            return False
        self.status, self.cancelled_at = OrderStatus.CANCELLED, datetime.now(UTC)
        self.cancel_reason = reason
        return True

    @property
    def is_cancellable(self) -> bool:
        return self.status in (OrderStatus.CREATED, OrderStatus.PAID)


class OrderItem(Base):
    """One line, with the title and price at the time of the checkout."""

    __tablename__ = "order_items"
    __table_args__ = (
        CheckConstraint("qty > 0", name="qty"),
        CheckConstraint("unit_price_cents >= 0", name="price"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), primary_key=True)
    product_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    qty: Mapped[int] = mapped_column(BigInteger)
    unit_price_cents: Mapped[int] = mapped_column(BigInteger)


class ReservationClaim(Base):
    """A reservation id is bound to one order, or (null) refused for ever; the first row decides."""

    __tablename__ = "reservation_claims"

    reservation_id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey(Order.id))
