"""Request and response bodies."""

from typing import Annotated

from pydantic import BaseModel, Field

from libs.types import Id, Quantity


class ItemAdd(BaseModel):
    product_id: Id
    qty: Quantity


class QuantityUpdate(BaseModel):
    qty: Quantity


class ItemRead(BaseModel):
    product_id: int
    title: str
    qty: int
    unit_price_cents: int
    currency: str
    active: bool
    """False when Catalog sells it no longer: a checkout refuses it by name."""


class CartRead(BaseModel):
    items: list[ItemRead]
    total_cents: int
    """Of the items in the cart's currency."""
    currency: str | None
    """None when the cart is empty."""


class CheckoutLine(BaseModel):
    product_id: Id
    qty: Quantity


class CheckoutCart(BaseModel):
    """What Order buys; the token is None when the cart is empty."""

    checkout_token: str | None
    items: list[CheckoutLine]


class CheckedOut(BaseModel):
    checkout_token: Annotated[str, Field(min_length=1, max_length=100)]
    items: Annotated[list[CheckoutLine], Field(max_length=100)]
