"""Which of the mails that are sent must be in the mailbox."""

from scripts.auditing.mailbox import SentMail, check_copies, check_delivered

SENT = [SentMail(n, f"event-{n}", "order.created", n, 100.0 * n) for n in range(6)]


def _ids(*numbers: int) -> list[str]:
    return [f"<event-{n}@example.com>" for n in numbers]


def test_from_a_mailbox_with_the_first_one_none_may_be_missing() -> None:
    found = check_delivered(_ids(5, 4, 2, 0), SENT)
    assert found.breaches == [SENT[1].named(), SENT[3].named()]
    assert found.numbers == {"sent": 6, "not_kept": 0, "missing": 2}


def test_what_was_sent_before_the_oldest_in_the_mailbox_need_not_be_kept() -> None:
    found = check_delivered(_ids(5, 2), SENT)
    assert found.breaches == [SENT[3].named(), SENT[4].named()]
    assert found.numbers == {"sent": 6, "not_kept": 2, "missing": 2}


def test_at_the_beginning_of_what_it_keeps_the_order_may_be_another() -> None:
    late = SentMail(9, "event-9", "order.created", 9, 201.0)
    assert check_delivered(_ids(5, 4, 3, 2), [*SENT[:3], late, *SENT[3:]]).ok


def test_an_empty_mailbox_says_nothing_of_what_was_sent() -> None:
    found = check_delivered([], SENT)
    assert found.ok
    assert found.numbers["not_kept"] == 6


def test_each_copy_above_the_first_counts() -> None:
    ids = _ids(1, 1, 1, 2)
    assert check_copies(ids, allowed=1).breaches == ["<event-1@example.com> came 3 times"]
    assert check_copies(ids, allowed=2).ok
