"""A queued mail as the bytes that go over SMTP."""

import re
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Protocol
from uuid import UUID

import idna

_ADDRESS = re.compile(
    r"(?=.{3,254}\Z)"
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})*"
    r"@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*"
)
_POLICY = policy.SMTP.clone(cte_type="7bit")


class Undeliverable(Exception):  # noqa: N818
    """This mail can never be sent; the message says why."""


class Sendable(Protocol):
    event_id: UUID
    to: str
    subject: str
    plain: str
    html: str
    dated: datetime


def is_plain_address(address: str) -> bool:
    """True for what any SMTP server takes: ASCII, without quoting."""
    return _ADDRESS.fullmatch(address) is not None


def plain_address(address: str) -> str:
    """The address for the envelope, its domain in ASCII. Raises Undeliverable."""
    local, _, domain = address.rpartition("@")
    try:
        plain = (
            f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode()}"
        )
    except idna.IDNAError:
        plain = ""
    if not is_plain_address(plain):
        raise Undeliverable("the address is not one that a plain SMTP server takes")
    return plain


def build_message(mail: Sendable, *, sender: str) -> bytes:
    """The same bytes but for the boundary each time: a repeat carries the same Message-ID.

    Raises Undeliverable.
    """
    message = EmailMessage(_POLICY)
    message["From"] = sender
    message["To"] = plain_address(mail.to)
    message["Subject"] = mail.subject
    message["Date"] = mail.dated
    message["Message-ID"] = f"<{mail.event_id}@{sender_domain(sender)}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.plain, cte="quoted-printable")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


def sender_address(sender: str) -> str:
    return parseaddr(sender)[1]


def sender_domain(sender: str) -> str:
    return sender_address(sender).rpartition("@")[2]
