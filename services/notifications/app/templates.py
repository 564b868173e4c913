"""What each mail says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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

from .money import format_money


@dataclass(frozen=True)
class Row:
    """A line of the mail's table; a price where one is known."""

    label: str
    value: str = ""


@dataclass(frozen=True)
class Letter:
    """A mail's words, before they become plain text and HTML."""

    subject: str
    intro: str
    items: Sequence[Row] = ()
    facts: Sequence[Row] = ()


Template = Callable[[Any], Letter]


def order_received(data: OrderCreated) -> Letter:
    return Letter(
        f"Order #{data.order_id} received",
        "Thank you for your order. We keep the goods for you and send them once it is paid.",
        items=[_priced(line, data.currency) for line in data.items],
        facts=[
            Row("Total", format_money(data.total_cents, data.currency)),
            Row("Ship to", _one_line(data.address)),
        ],
    )


def order_cancelled(data: OrderCancelled) -> Letter:
    return Letter(
        f"Order #{data.order_id} cancelled",
        "Your order was cancelled. If you paid for it already, the money is on its way back.",
        items=[Row(f"{line.qty} × {line.title}") for line in data.items],
        facts=_reason(data.reason),
    )


def payment_received(data: PaymentSucceeded) -> Letter:
    return Letter(
        f"Payment received for order #{data.order_id}",
        "We received your payment, thank you. Your order is being prepared for shipping.",
        facts=[Row("Amount", format_money(data.amount_cents, data.currency))],
    )


def payment_failed(data: PaymentFailed) -> Letter:
    return Letter(
        f"Payment failed for order #{data.order_id}",
        "Your payment did not go through. Nothing was charged, and you can try again.",
        facts=[
            Row("Amount", format_money(data.amount_cents, data.currency)),
            *_reason(data.reason),
        ],
    )


def payment_refunded(data: PaymentRefunded) -> Letter:
    return Letter(
        f"Refund for order #{data.order_id}",
        "We returned your payment.",
        facts=[
            Row("Amount", format_money(data.amount_cents, data.currency)),
            *_reason(data.reason),
        ],
    )


def order_shipped(data: ShippingDispatched) -> Letter:
    known = (("Carrier", data.carrier), ("Tracking number", data.tracking_number))
    return Letter(
        f"Order #{data.order_id} shipped",
        "Good news: your order is on its way to you.",
        facts=[Row(label, value) for label, value in known if value],
    )


TEMPLATES: dict[type[EventData], Template] = {
    OrderCreated: order_received,
    OrderCancelled: order_cancelled,
    PaymentSucceeded: payment_received,
    PaymentFailed: payment_failed,
    PaymentRefunded: payment_refunded,
    ShippingDispatched: order_shipped,
}


def _priced(line: OrderLine, currency: str) -> Row:
    price = format_money(line.qty * line.unit_price_cents, currency)
    return Row(f"{line.qty} × {line.title}", price)


def _one_line(address: Address) -> str:
    city = f"{address.postcode} {address.city}"
    parts = (address.address_line1, address.address_line2, city, address.country)
    return ", ".join(part for part in parts if part.strip())


def _reason(reason: str) -> list[Row]:
    return [Row("Reason", reason)] if reason else []
