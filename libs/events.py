"""Events: CloudEvents 1.0 in JSON, and one registry of the types and their data.

Fields that this version does not know are ignored, so producers can add some; a breaking
change is a new type.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from .logging import request_id_var

ORDER_EVENTS = "order.events"
PAYMENT_EVENTS = "payment.events"
SHIPPING_EVENTS = "shipping.events"
TOPICS = (ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS)


class EventData(BaseModel):
    """What every event carries; consumers never call back for more."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: ClassVar[str]
    topic: ClassVar[str]

    order_id: int
    user_id: int
    email: str


class OrderLine(BaseModel):
    product_id: int
    title: str
    qty: int
    unit_price_cents: int


class Address(BaseModel):
    address_line1: str
    address_line2: str = ""
    city: str
    country: str
    postcode: str


class OrderCreated(EventData):
    type = "order.created"
    topic = ORDER_EVENTS

    total_cents: int
    currency: str
    reservation_id: UUID
    items: list[OrderLine]
    address: Address


class OrderPaid(EventData):
    type = "order.paid"
    topic = ORDER_EVENTS

    reservation_id: UUID
    items: list[OrderLine]
    reason: str = ""


class OrderCancelled(EventData):
    type = "order.cancelled"
    topic = ORDER_EVENTS

    reservation_id: UUID
    items: list[OrderLine]
    reason: str


class PaymentEvent(EventData):
    topic = PAYMENT_EVENTS

    payment_id: int
    amount_cents: int
    currency: str
    reason: str = ""


class PaymentSucceeded(PaymentEvent):
    type = "payment.succeeded"


class PaymentFailed(PaymentEvent):
    type = "payment.failed"


class PaymentRefunded(PaymentEvent):
    type = "payment.refunded"


class ShippingEvent(EventData):
    topic = SHIPPING_EVENTS

    shipment_id: int
    carrier: str | None = None
    tracking_number: str | None = None


class ShippingReady(ShippingEvent):
    type = "shipping.ready"


class ShippingDispatched(ShippingEvent):
    type = "shipping.dispatched"


class ShippingCancelled(ShippingEvent):
    type = "shipping.cancelled"

    reason: str = ""


EVENT_TYPES: dict[str, type[EventData]] = {
    data.type: data
    for data in (
        OrderCreated, OrderPaid, OrderCancelled,
        PaymentSucceeded, PaymentFailed, PaymentRefunded,
        ShippingReady, ShippingDispatched, ShippingCancelled,
    )
}  # fmt: skip

DataT = TypeVar("DataT", bound=EventData)


@dataclass(frozen=True, slots=True)
class Event(Generic[DataT]):
    """A received event: its envelope's id, time and request id, and the data of its type."""

    id: UUID
    time: datetime
    request_id: str
    data: DataT


class InvalidEvent(Exception):  # noqa: N818
    """These bytes will never be an event that we can read."""


class UnknownEventType(Exception):  # noqa: N818
    """A well-formed event of a type that this version does not know; ignore it."""


class _Envelope(BaseModel):
    specversion: Annotated[str, Field(pattern=r"^1\.0$")]
    id: UUID
    source: str
    type: str
    subject: str = ""
    time: datetime
    requestid: str = ""
    data: dict[str, Any]


class _Outgoing(BaseModel):
    specversion: str = "1.0"
    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str = "application/json"
    requestid: str
    data: Any


def encode(data: EventData, *, service: str) -> tuple[UUID, bytes]:
    """A fresh event id and the message value that carries `data`."""
    event = _Outgoing.model_construct(
        specversion="1.0",
        id=uuid4(),
        source=f"/{service}",
        type=data.type,
        subject=str(data.order_id),
        time=datetime.now(UTC),
        datacontenttype="application/json",
        requestid=request_id_var.get(),
        data=data,
    )
    return event.id, event.model_dump_json(serialize_as_any=True).encode()


def decode(value: bytes | None) -> Event[EventData]:
    """Read a message's value. Raises InvalidEvent or UnknownEventType, nothing else."""
    if value is None:
        raise InvalidEvent("the value is null")
    try:
        envelope = _Envelope.model_validate(from_json(value, allow_inf_nan=False))
    except ValidationError as error:
        raise InvalidEvent(f"not a CloudEvent: {_reasons(error)}") from None
    except (ValueError, RecursionError):
        raise InvalidEvent("not JSON") from None
    data_class = EVENT_TYPES.get(envelope.type)
    if data_class is None:
        raise UnknownEventType(envelope.type)
    try:
        data = data_class.model_validate(envelope.data)
    except ValidationError as error:
        raise InvalidEvent(f"{envelope.type}: {_reasons(error)}") from None
    return Event(envelope.id, envelope.time, envelope.requestid, data)


def _reasons(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'value'}: {item['msg']}"
        for item in error.errors(include_input=False, include_url=False)[:3]
    )
