from typing import Any

import pytest

from scripts.demo.mails import Mail, parse_mail

EXPECTED = Mail(recipient="ann@x.com", subject="Order 1 für Ann")
ENCODED = "=?utf-8?q?Order_1_f=C3=BCr_Ann?="


@pytest.mark.parametrize(
    "item",
    [
        {
            "To": [{"Mailbox": "ann", "Domain": "x.com"}],
            "Content": {"Headers": {"Subject": [ENCODED]}},
        },
        {"Content": {"Headers": {"Subject": ENCODED, "To": "ann@x.com"}}},
        {"Content": {"Headers": {"subject": [ENCODED], "to": ["ann@x.com"]}}},
        {"To": ["ann@x.com"], "Headers": {"Subject": ["Order 1\r\n für Ann"]}},
        {"To": "ann@x.com", "Headers": {"Subject": "Order 1 für Ann"}},
    ],
)
def test_a_mail_is_read_whichever_shape_it_has(item: dict[str, Any]) -> None:
    assert parse_mail(item) == EXPECTED


@pytest.mark.parametrize(
    "item",
    [{}, {"To": None, "Content": None}, {"To": [], "Content": {"Headers": {"Subject": [None]}}}],
)
def test_a_mail_without_its_parts_is_an_empty_one(item: dict[str, Any]) -> None:
    assert parse_mail(item) == Mail("", "")


def test_a_subject_in_an_unknown_charset_is_shown_as_it_came() -> None:
    item = {"Content": {"Headers": {"Subject": "=?no-such?q?x?="}}}
    assert parse_mail(item).subject == "=?no-such?q?x?="
