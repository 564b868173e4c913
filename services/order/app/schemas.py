"""Request and response bodies."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from libs.types import Country, RequiredText, StoredText

from .models import OrderStatus


class ShippingAddress(BaseModel):
    address_line1: Annotated[RequiredText, Field(max_length=200)]
    address_line2: Annotated[StoredText, Field(max_length=200)] = ""
    city: Annotated[RequiredText, Field(max_length=100)]
    country: Country
    postcode: Annotated[RequiredText, Field(max_length=20)]


class OrderItemRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    product_id: int
    title: str
    qty: int
    unit_price_cents: int


class OrderRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    status: OrderStatus
    total_cents: int
    currency: str
    created_at: datetime
    items: list[OrderItemRead]


class CheckoutRead(BaseModel):
    """The order that a checkout made."""

    order_id: int
    status: OrderStatus
    total_cents: int
    currency: str
    items: list[OrderItemRead]


class OrderSummary(BaseModel):
    """What Payment asks for."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    user_id: int
    email: str
    status: OrderStatus
    total_cents: int
    currency: str


class ClaimRead(BaseModel):
    order_id: int | None
