"""Shipments: what Shipping knows of an order, and what it has done about it."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.db import CreatedAt, schema_metadata
from libs.events import Address
from libs.inbox import InboxMixin
from libs.outbox import Outbox, OutboxMixin

from .exceptions import AlreadyDispatched, NotReadyToShip


class Base(DeclarativeBase):
    metadata = schema_metadata("shipping")


class OutboxMessage(OutboxMixin, Base):
    pass


class InboxMessage(InboxMixin, Base):
    pass


outbox = Outbox("shipping", OutboxMessage)


class ShipmentStatus(StrEnum):
    PENDING_PAYMENT = "PENDING_PAYMENT"
    READY_TO_SHIP = "READY_TO_SHIP"
    DISPATCHED = "DISPATCHED"
    CANCELLED = "CANCELLED"


class Shipment(CreatedAt, Base):
    """An order's one shipment. Its facts (address, payment, cancellation) may come in any order,
    so it can exist before its draft does: without an address it is nothing to show yet."""

    __tablename__ = "shipments"
    __table_args__ = (
        Index("ix_shipments_user_id", "user_id", "id"),
        CheckConstraint(
            "status IN ('PENDING_PAYMENT', 'READY_TO_SHIP', 'DISPATCHED', 'CANCELLED')",
            name="status",
        ),
        CheckConstraint(
            "num_nulls(address_line1, address_line2, city, country, postcode) IN (0, 5)",
            name="address",
        ),
        CheckConstraint(
            "status NOT IN ('READY_TO_SHIP', 'DISPATCHED')"
            " OR (address_line1 IS NOT NULL AND paid_at IS NOT NULL)",
            name="ready",
        ),
        CheckConstraint(
            "num_nulls(carrier, tracking_number, dispatched_at)"
            " = CASE WHEN status = 'DISPATCHED' THEN 0 ELSE 3 END",
            name="dispatched",
        ),
        CheckConstraint("(status = 'CANCELLED') = (cancelled_at IS NOT NULL)", name="cancelled"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    email: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(
        Text, server_default=text(f"'{ShipmentStatus.PENDING_PAYMENT}'")
    )
    address_line1: Mapped[str | None] = mapped_column(Text)
    address_line2: Mapped[str | None] = mapped_column(Text)
    city: Mapped[str | None] = mapped_column(Text)
    country: Mapped[str | None] = mapped_column(Text)
    postcode: Mapped[str | None] = mapped_column(Text)
    paid_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    carrier: Mapped[str | None] = mapped_column(Text)
    tracking_number: Mapped[str | None] = mapped_column(Text)
    dispatched_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cancelled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cancel_reason: Mapped[str | None] = mapped_column(Text)

    @property
    def is_drafted(self) -> bool:
        return self.address_line1 is not None

    def draft(self, address: Address) -> bool:
        """Enter where it goes, once. True when this makes it ready to ship."""
        if self.is_drafted:
            return False
        for part, value in address:
            setattr(self, part, value)
        return self._become_ready()

    def mark_paid(self, now: datetime) -> bool:
        """Enter that the order is paid, once. True when this makes it ready to ship."""
        if self.paid_at is not None:
            return False
        self.paid_at = now
        return self._become_ready()

    def _become_ready(self) -> bool:
        waiting = self.status == ShipmentStatus.PENDING_PAYMENT
        if not (waiting and self.is_drafted and self.paid_at):
            return False
        self.status = ShipmentStatus.READY_TO_SHIP
        return True

    def dispatch(self, now: datetime, *, carrier: str, tracking_number: str) -> None:
        """Raises NotReadyToShip."""
        if self.status != ShipmentStatus.READY_TO_SHIP:
            raise NotReadyToShip(f"Shipment {self.id} is {self.status}, not READY_TO_SHIP.")
        self.status = ShipmentStatus.DISPATCHED
        self.dispatched_at = now
        self.carrier, self.tracking_number = carrier, tracking_number

    def cancel(self, now: datetime, *, reason: str) -> bool:
        """False when it is cancelled already. Raises AlreadyDispatched."""
        if self.status == ShipmentStatus.CANCELLED:
            return False
        if self.status == ShipmentStatus.DISPATCHED:
            raise AlreadyDispatched(f"The shipment of order {self.order_id} has been dispatched.")
        self.status = ShipmentStatus.CANCELLED
        self.cancelled_at, self.cancel_reason = now, reason
        return True
