"""Request and response bodies."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from libs.types import Currency, Id, TotalCents


class PaymentCreate(BaseModel):
    order_id: Id
    amount_cents: TotalCents
    currency: Currency


class PaymentRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    order_id: int
    status: str
    amount_cents: int
    currency: str
    created_at: datetime
