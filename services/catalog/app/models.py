"""Catalog's tables: categories, products, their stock, and the reservations that hold some of it.

At all times, and checked by `scripts/audit.py`: in_stock = restocked - items of SOLD reservations,
and reserved = items of HELD ones.
"""

from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, validates
from sqlalchemy.types import TypeEngine

from libs.db import CreatedAt, schema_metadata
from libs.inbox import InboxMixin
from libs.outbox import Outbox, OutboxMixin
from libs.types import nfc

from .exceptions import ReservationOfAnotherOrder


class Base(DeclarativeBase):
    metadata = schema_metadata("catalog")


class OutboxMessage(OutboxMixin, Base):
    pass


class InboxMessage(InboxMixin, Base):
    pass


outbox = Outbox("catalog", OutboxMessage)


def fold(title: str) -> str:
    """Titles are searched and sorted in this form: any case, the same on every database locale."""
    return nfc(nfc(title).casefold())


class Category(CreatedAt, Base):
    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)


BIGINTS: TypeEngine[Any] = ARRAY(BigInteger)
_ACTIVE = text("active")


class Product(CreatedAt, Base):
    __tablename__ = "products"
    __table_args__ = (
        Index("ix_products_created", "created_at", "id", postgresql_where=_ACTIVE),
        Index("ix_products_price", "price_cents", "id", postgresql_where=_ACTIVE),
        Index("ix_products_title", "title_folded", "id", postgresql_where=_ACTIVE),
        CheckConstraint("price_cents >= 0", name="price"),
        CheckConstraint(
            "num_nulls(image_key, image_etag, image_type) IN (0, 3)", name="whole_image"
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    sku: Mapped[str] = mapped_column(Text, unique=True)
    title: Mapped[str] = mapped_column(Text)
    title_folded: Mapped[str] = mapped_column(Text(collation="C"))
    description: Mapped[str] = mapped_column(Text)
    price_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    category_id: Mapped[int | None] = mapped_column(ForeignKey(Category.id), index=True)
    active: Mapped[bool]
    image_key: Mapped[str | None] = mapped_column(Text)
    image_etag: Mapped[str | None] = mapped_column(Text)
    image_type: Mapped[str | None] = mapped_column(Text)

    @validates("title")
    def _fold_title(self, _name: str, title: str) -> str:
        self.title_folded = fold(title)
        return title

    def show_image(self, *, key: str, etag: str, content_type: str) -> str | None:
        """Put a stored image in the place of the current one, and return the key of that."""
        before = self.image_key
        self.image_key, self.image_etag, self.image_type = key, etag, content_type
        return before


class Inventory(Base):
    """What is there of a product; `in_stock` includes what is reserved."""

    __tablename__ = "inventory"
    __table_args__ = (
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("in_stock >= reserved", name="in_stock"),
    )

    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id), primary_key=True)
    in_stock: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger)


class Restock(CreatedAt, Base):
    """The ledger of what came in."""

    __tablename__ = "restocks"
    __table_args__ = (CheckConstraint("qty > 0", name="qty"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id), index=True)
    qty: Mapped[int] = mapped_column(BigInteger)


class ReservationStatus(StrEnum):
    HELD = "HELD"
    SOLD = "SOLD"
    RELEASED = "RELEASED"
    RETURNED = "RETURNED"


class StockEffect(NamedTuple):
    """What a transition does to a product's stock, for each unit of it that is reserved."""

    in_stock: int
    reserved: int


UNCHANGED = StockEffect(0, 0)


class Reservation(CreatedAt, Base):
    """Goods set aside: HELD → SOLD → RETURNED, or HELD → RELEASED; anything else changes nothing.

    Lock the row before a transition, and apply the effect that it returns in the transaction.
    """

    __tablename__ = "reservations"
    __table_args__ = (
        Index(
            "uq_reservations_open_request",
            "request_key",
            unique=True,
            postgresql_where=text("status = 'HELD' AND order_id IS NULL"),
        ),
        Index(
            "ix_reservations_without_order",
            "created_at",
            postgresql_where=text("status = 'HELD' AND order_id IS NULL"),
        ),
        CheckConstraint("status IN ('HELD', 'SOLD', 'RELEASED', 'RETURNED')", name="status"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    request_key: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(Text)
    order_id: Mapped[int | None] = mapped_column(BigInteger)

    items: Mapped[list["ReservationItem"]] = relationship(lazy="raise", passive_deletes=True)

    @property
    def is_open(self) -> bool:
        """Held, and no order is known for it yet."""
        return self.status == ReservationStatus.HELD and self.order_id is None

    def assign(self, order_id: int) -> None:
        """It belongs to this order now."""
        self._require_order(order_id)
        if self.is_open:
            self.order_id = order_id

    def sell(self, order_id: int) -> StockEffect:
        """The order is paid: the goods leave."""
        self._require_order(order_id)
        if self.status != ReservationStatus.HELD:
            return UNCHANGED
        self.order_id, self.status = order_id, ReservationStatus.SOLD
        return StockEffect(in_stock=-1, reserved=-1)

    def cancel(self, order_id: int) -> StockEffect:
        """The order is cancelled: what is held is free again, what was sold comes back."""
        self._require_order(order_id)
        if self.status == ReservationStatus.HELD:
            self.order_id, self.status = order_id, ReservationStatus.RELEASED
            return StockEffect(in_stock=0, reserved=-1)
        if self.status == ReservationStatus.SOLD:
            self.status = ReservationStatus.RETURNED
            return StockEffect(in_stock=1, reserved=0)
        return UNCHANGED

    def release(self) -> StockEffect:
        """No order will come for it."""
        if not self.is_open:
            return UNCHANGED
        self.status = ReservationStatus.RELEASED
        return StockEffect(in_stock=0, reserved=-1)

    def _require_order(self, order_id: int) -> None:
        if self.order_id not in (None, order_id):
            raise ReservationOfAnotherOrder(
                f"Reservation {self.id} belongs to order {self.order_id}, not to {order_id}."
            )


class ReservationItem(Base):
    """A line of a reservation, at the price and under the title of that moment."""

    __tablename__ = "reservation_items"
    __table_args__ = (CheckConstraint("qty > 0", name="qty"),)

    reservation_id: Mapped[UUID] = mapped_column(ForeignKey(Reservation.id), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    qty: Mapped[int] = mapped_column(BigInteger)
    unit_price_cents: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
