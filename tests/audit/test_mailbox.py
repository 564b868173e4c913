"""Copies of a mail."""

from scripts.auditing.mailbox import check_copies


def test_each_copy_above_the_first_counts() -> None:
    ids = [f"<event-{n}@example.com>" for n in (1, 1, 1, 2)]
    assert check_copies(ids, allowed=1).breaches == ["<event-1@example.com> came 3 times"]
    assert check_copies(ids, allowed=2).ok
