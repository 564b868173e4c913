"""Each event of the table becomes one mail, with what its reader wants to know."""

import json
from typing import Any
from uuid import uuid4

import pytest

from libs.events import (
    EventData,
    OrderCancelled,
    OrderCreated,
    OrderLine,
    PaymentFailed,
    PaymentRefunded,
    PaymentSucceeded,
    ShippingDispatched,
    ShippingReady,
    encode,
)
from tests.support.kafka import EventLog, Publisher
from tests.support.waiting import eventually

from .mailbox import Mailbox, Reader, text_of
from .samples import make_event

MAILS: list[tuple[type[EventData], str, list[str]]] = [
    (
        OrderCreated,
        "Order #{} received",
        ["2 × Blue mug", "25.00 USD", "0.99 USD", "Total", "25.99 USD", "1 Demo Street", "D01XYZ"],
    ),
    (OrderCancelled, "Order #{} cancelled", ["2 × Blue mug", "not paid in time"]),
    (PaymentSucceeded, "Payment received for order #{}", ["25.99 USD"]),
    (PaymentFailed, "Payment failed for order #{}", ["25.99 USD", "card declined"]),
    (PaymentRefunded, "Refund for order #{}", ["25.99 USD"]),
    (ShippingDispatched, "Order #{} shipped", ["Demo Express", "TRK-0042"]),
]


@pytest.mark.parametrize(("kind", "subject", "told"), MAILS, ids=[k.type for k, *_ in MAILS])
async def test_an_event_that_comes_twice_is_one_mail_in_text_and_html(
    publish: Publisher,
    mailbox: Mailbox,
    reader: Reader,
    kind: type[EventData],
    subject: str,
    told: list[str],
) -> None:
    event = make_event(kind, email=reader.email, user_id=reader.id)
    event_id = await publish.event(event, times=2)
    mail = await mailbox.wait_for(reader.email)
    await publish.event(event)  # another event: once it is there, the repeat was taken too
    await reader.wait_for(2)
    ids = {found["Message-ID"] for found in await mailbox.to(reader.email)}
    assert len(ids) == 2
    assert f"<{event_id}@example.com>" in ids
    assert mail["Subject"] == subject.format(event.order_id)
    assert mail["To"] == reader.email
    assert mail.get_content_type() == "multipart/alternative"
    for part in ("plain", "html"):
        assert all(words in text_of(mail, part) for words in told), text_of(mail, part)
    listed = await reader.page()
    assert listed["total"] == 2
    assert listed["items"][0] | {"id": 1, "created_at": "", "sent_at": ""} == {
        "id": 1,
        "type": kind.type,
        "order_id": event.order_id,
        "to": reader.email,
        "subject": subject.format(event.order_id),
        "status": "SENT",
        "created_at": "",
        "sent_at": "",
    }


async def test_nothing_of_an_event_is_markup(
    publish: Publisher, mailbox: Mailbox, reader: Reader
) -> None:
    title = "<script>alert('x')</script> & \"co\"\r\n\r\nnew line\x00\x1b[31m"
    line = OrderLine(product_id=1, title=title, qty=1, unit_price_cents=1)
    await publish.event(
        make_event(
            OrderCreated, email=reader.email, user_id=reader.id, items=[line], currency="<b>\x00"
        )
    )
    mail = await mailbox.wait_for(reader.email)
    html = text_of(mail, "html")
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;co&quot;" in html
    assert "<b>" not in html
    plain = text_of(mail, "plain")
    assert "1 × <script>alert('x')</script> & \"co\" new line [31m" in plain


async def test_an_event_adds_no_header(
    publish: Publisher, mailbox: Mailbox, reader: Reader
) -> None:
    evil = f"{reader.email}\r\nBcc: victim-{reader.id}@example.com"
    await publish.event(make_event(PaymentSucceeded, email=evil, user_id=reader.id))
    (listed,) = await reader.wait_for(1, "FAILED")
    assert listed["to"] == evil
    assert listed["sent_at"] is None
    assert await mailbox.to(reader.email) == []
    assert await mailbox.to(f"victim-{reader.id}@example.com") == []


async def test_long_and_foreign_texts_arrive_as_they_are(
    publish: Publisher, mailbox: Mailbox, reader: Reader
) -> None:
    title = "Tasse für Ännchen 🫖 " + "ö" * 2000
    line = OrderLine(product_id=1, title=title, qty=1, unit_price_cents=1)
    event = make_event(OrderCreated, email=reader.email, user_id=reader.id, items=[line])
    await publish.event(event)
    mail = await mailbox.wait_for(reader.email)
    for part in ("plain", "html"):
        assert title in text_of(mail, part)
    assert mail.as_bytes().isascii()


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("EUR", "1,234,567.89 EUR"),
        ("JPY", "123,456,789 JPY"),
        ("BHD", "123,456.789 BHD"),
        ("CLF", "12,345.6789 CLF"),
    ],
)
async def test_an_amount_has_its_currencys_decimals(
    publish: Publisher, mailbox: Mailbox, reader: Reader, currency: str, amount: str
) -> None:
    changes: dict[str, Any] = {"currency": currency, "amount_cents": 123456789}
    await publish.event(
        make_event(PaymentSucceeded, email=reader.email, user_id=reader.id, **changes)
    )
    assert f"Amount: {amount}\n" in text_of(await mailbox.wait_for(reader.email), "plain")


async def test_events_without_a_mail_are_passed_over(publish: Publisher, reader: Reader) -> None:
    sent = make_event(ShippingDispatched, email=reader.email, user_id=reader.id)
    await publish.event(ShippingReady(**sent.model_dump()))
    await publish.event(sent)
    (listed,) = await reader.wait_for(1)
    assert listed["type"] == "shipping.dispatched"


async def test_an_event_that_fits_no_table_is_a_dead_letter_and_blocks_nothing(
    publish: Publisher, events: EventLog, reader: Reader
) -> None:
    good = make_event(PaymentSucceeded, email=reader.email, user_id=reader.id)
    bad = json.loads(encode(good, service="test")[1])
    bad["data"]["order_id"] = 10**30
    key = str(uuid4()).encode()
    await publish.raw(good.topic, json.dumps(bad).encode(), key=key)
    await publish.raw(good.topic, b"\xff\x00", key=key)
    await publish.raw(good.topic, None, key=key)
    await publish.raw(good.topic, encode(good, service="test")[1], key=key)
    await reader.wait_for(1)

    async def dead() -> bool:
        letters = [r for r in await events.read() if r.key == key and r.topic.endswith(".dlq")]
        ours = [r for r in letters if dict(r.headers).get("consumer") == b"notifications"]
        return len(ours) == 3

    await eventually(dead, what="three dead letters")
