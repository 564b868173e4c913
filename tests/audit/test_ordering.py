"""Which events of an order came in the wrong order."""

from uuid import UUID

from scripts.auditing.ordering import check_order
from scripts.auditing.outboxes import OutboxRow
from scripts.auditing.streams import Message

TOPIC = "order.events"
FIRST = 1_000


def _row(number: int) -> OutboxRow:
    """Committed at second `FIRST + number`."""
    event = UUID(int=number)
    place = (0, None, True, None)
    return OutboxRow("order", number, event, "order.paid", TOPIC, b"7", "", *place, FIRST + number)


def _messages(*numbers: int, key: bytes = b"7", since: int = FIRST) -> list[Message]:
    """The events with these numbers, one after the other, from second `since` on."""
    return [
        Message(TOPIC, 0, offset, (since + offset) * 1000, UUID(int=number), key, "")
        for offset, number in enumerate(numbers)
    ]


ROWS = [_row(number) for number in range(1, 6)]


def test_one_that_came_behind_a_later_one_is_a_breach() -> None:
    found = check_order(ROWS, _messages(1, 3, 2, 4))
    assert found.breaches == [
        f"order outbox row 2 (order.paid, event {UUID(int=2)}) came behind row 3:"
        " order.events[0]@2 after @1"
    ]
    assert found.numbers == {"keys": 1, "events": 4, "out_of_order": 1}


def test_one_that_comes_again_later_is_none() -> None:
    assert check_order(ROWS, _messages(1, 2, 3, 1, 2, 4)).ok


def test_events_of_two_orders_may_come_in_any_order() -> None:
    first, second = _messages(2), _messages(1, key=b"8")
    assert check_order(ROWS, [*first, *(m._replace(offset=1) for m in second)]).ok


def test_what_is_older_than_the_topic_may_have_been_there_before() -> None:
    """A broker has lost all, and the first to come then was a new one."""
    assert check_order(ROWS, _messages(5, 1, 2, since=FIRST + 4)).ok


def test_messages_that_no_outbox_has_are_left_out() -> None:
    found = check_order(ROWS, _messages(1, 99, 2))
    assert found.ok
    assert found.numbers["events"] == 2
