"""Messages as a reader sees them, one line each."""

import json
from datetime import UTC, datetime
from typing import Any

from aiokafka import ConsumerRecord

from libs.events import ORDER_EVENTS, PAYMENT_EVENTS, SHIPPING_EVENTS
from libs.letter_format import (
    CONSUMER,
    LETTER_ID,
    REASON,
    REPLAY_FOR,
    SETTLED,
    is_dead_letter_topic,
)

from ..console import DIM, GREEN, RED, YELLOW, Console

_COLOURS = {ORDER_EVENTS: GREEN, PAYMENT_EVENTS: YELLOW, SHIPPING_EVENTS: "36"}
_LEFT_OUT = {"order_id", "user_id", "email", "reservation_id", "items", "address"}


def event_of(value: bytes | None) -> dict[str, Any]:
    """Empty when it is none."""
    try:
        event = json.loads(value or b"")
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def describe(record: ConsumerRecord, console: Console) -> str:
    when = datetime.fromtimestamp(record.timestamp / 1000, UTC).astimezone()
    place = f"{record.topic}[{record.partition}]@{record.offset}"
    line = f"{when:%H:%M:%S}.{when.microsecond // 1000:03}  {place:26}  "
    colour = RED if is_dead_letter_topic(record.topic) else _COLOURS.get(record.topic, DIM)
    return console.paint(line, DIM) + console.paint(_content(record), colour)


def _content(record: ConsumerRecord) -> str:
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    if SETTLED in headers:
        return f"letter {headers[SETTLED][:8]} settled: {headers.get('how', '')}"
    said = describe_value(record.value, record.key)
    if REPLAY_FOR in headers:
        said += f"  (a replay for {headers[REPLAY_FOR]})"
    if LETTER_ID in headers:
        letter = headers[LETTER_ID][:8]
        said += f"  letter {letter} of {headers.get(CONSUMER)}: {headers.get(REASON)}"
    return said


def describe_value(value: bytes | None, key: bytes | None) -> str:
    event = event_of(value)
    data = event.get("data")
    if not isinstance(data, dict):
        return f"{'?':20} key {printable(key)}  {printable(value)[:100]}"
    known = [f"{name}={data[name]}" for name in data if name not in _LEFT_OUT and data[name]]
    items = data.get("items")
    goods = [
        f"{item.get('qty')} × {item.get('title')}"
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict)
    ]
    facts = "  ".join([*goods, *known])
    line = f"{event.get('type')!s:20} order {data.get('order_id')}  {facts}".rstrip()
    return printable(line.encode(errors="replace"))


def printable(content: bytes | None) -> str:
    """In one line, whatever the bytes would do to a terminal."""
    if content is None:
        return "null"
    text = content.decode(errors="replace")
    return "".join(c if c.isprintable() else "·" for c in text) or "(empty)"
