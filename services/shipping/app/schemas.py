"""Request and response bodies."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from libs.types import Id, StoredText


class ShipmentRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    order_id: int
    status: str
    carrier: str | None
    tracking_number: str | None
    address_line1: str
    address_line2: str
    city: str
    country: str
    postcode: str
    created_at: datetime


class AddressWrite(BaseModel):
    """Order has checked it; here it need only fit into the table."""

    address_line1: StoredText
    address_line2: StoredText = ""
    city: StoredText
    country: StoredText
    postcode: StoredText


class ShipmentCreate(BaseModel):
    order_id: Id
    user_id: Id
    email: StoredText
    address: AddressWrite


class ShipmentState(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    order_id: int
    status: str


class ShipmentCancel(BaseModel):
    order_id: Id
    user_id: Id
    email: StoredText
    reason: StoredText


class ShipmentCancelled(BaseModel):
    order_id: int
    status: Literal["CANCELLED"] = "CANCELLED"
