"""Events as bytes."""

import json
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events import (
    InvalidEvent,
    OrderCancelled,
    OrderLine,
    UnknownEventType,
    decode,
    encode,
)

from .samples import paid

IDS = st.integers(1, 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.one_of(st.none(), st.binary(max_size=400)))
def test_any_bytes_are_refused_in_words(value: bytes | None) -> None:
    refused = ""
    try:
        decode(value)
    except (InvalidEvent, UnknownEventType) as refusal:
        refused = str(refusal)
    assert refused  # no random bytes are an event


@given(st.recursive(st.none() | st.booleans() | st.floats() | TEXT, st.lists, max_leaves=5))
def test_json_that_is_no_event_is_refused(value: object) -> None:

    envelope = {"specversion": "1.0", "id": value, "type": "order.created", "data": value}
    with pytest.raises(InvalidEvent):
        decode(json.dumps(envelope).encode())


@given(order_id=IDS, email=TEXT, title=TEXT, qty=IDS)
def test_what_was_encoded_is_what_is_decoded(
    order_id: int, email: str, title: str, qty: int
) -> None:
    line = OrderLine(product_id=order_id, title=title, qty=qty, unit_price_cents=0)
    data = OrderCancelled(
        order_id=order_id,
        user_id=1,
        email=email,
        reservation_id=uuid4(),
        items=[line],
        reason=title,
    )
    event_id, value = encode(data, service="order")
    event = decode(value)
    assert (event.id, event.data) == (event_id, data)


def test_fields_that_are_not_known_are_ignored() -> None:
    data = paid(1)
    _, value = encode(data, service="payment")
    more = value.replace(b'"order_id":1', b'"order_id":1,"colour":"blue"')
    assert more != value
    assert decode(more).data == data


def test_a_type_that_is_not_known_is_told_apart() -> None:
    _, value = encode(paid(1), service="payment")
    with pytest.raises(UnknownEventType):
        decode(value.replace(b"payment.succeeded", b"payment.celebrated"))
