"""Events as the other services send them, each to an address of its own."""

from random import randrange
from typing import Any
from uuid import uuid4

from libs.events import (
    Address,
    EventData,
    OrderCancelled,
    OrderCreated,
    OrderLine,
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    ShippingDispatched,
)

LINES = [
    OrderLine(product_id=1, title="Blue mug", qty=2, unit_price_cents=1250),
    OrderLine(product_id=2, title="Tea <b>& biscuits</b>", qty=1, unit_price_cents=99),
]
ADDRESS = Address(
    address_line1="1 Demo Street", address_line2="", city="Dublin", country="IE", postcode="D01XYZ"
)
_ORDER = {"reservation_id": uuid4(), "items": LINES}
_PAYMENT = {"payment_id": 7, "amount_cents": 2599, "currency": "USD"}

DATA: dict[type[EventData], dict[str, Any]] = {
    OrderCreated: {**_ORDER, "total_cents": 2599, "currency": "USD", "address": ADDRESS},
    OrderCancelled: {**_ORDER, "reason": "not paid in time"},
    PaymentSucceeded: _PAYMENT,
    PaymentFailed: {**_PAYMENT, "reason": "card declined"},
    PaymentRefunded: {**_PAYMENT, "reason": "order cancelled"},
    ShippingDispatched: {
        "shipment_id": 3,
        "carrier": "Demo Express",
        "tracking_number": "TRK-0042",
    },
}


def make_event(kind: type[EventData], *, email: str, user_id: int = 1, **changes: Any) -> EventData:
    """Of an order that no service has: the whole stack hears of it."""
    order = {"order_id": randrange(10**9, 10**12), "user_id": user_id, "email": email}
    return kind(**order | DATA[kind] | changes)


def new_address(name: str = "reader") -> str:
    return f"{name}-{uuid4().hex[:12]}@example.com"
