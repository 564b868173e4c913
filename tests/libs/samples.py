"""Events of orders that nobody has placed, and the records that they are for a consumer."""

from uuid import uuid4

from aiokafka import ConsumerRecord

from libs.events import EventData, OrderCancelled, PaymentSucceeded, encode

_BUYER = {"user_id": 1, "email": "ann@example.com"}


def paid(order_id: int) -> PaymentSucceeded:
    return PaymentSucceeded(
        order_id=order_id, **_BUYER, payment_id=1, amount_cents=1, currency="USD"
    )


def cancelled(order_id: int) -> OrderCancelled:
    return OrderCancelled(
        order_id=order_id, **_BUYER, reservation_id=uuid4(), items=[], reason="a test"
    )


def record(data: EventData, offset: int) -> ConsumerRecord:
    value = encode(data, service="test")[1]
    key = str(data.order_id).encode()
    return ConsumerRecord(data.topic, 0, offset, 0, 0, key, value, None, len(key), len(value), ())
