"""A queued mail as the bytes that go over SMTP."""

import re
from binascii import b2a_qp
from collections.abc import Iterable
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr, parseaddr
from secrets import token_hex
from typing import Protocol
from uuid import UUID

import idna

_ADDRESS = re.compile(
    r"(?=.{3,254}\Z)"
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})*"
    r"@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*"
)
_END = "\r\n"


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

    By hand, since EmailMessage takes twenty times as long. Raises Undeliverable.
    """
    boundary = token_hex(16)
    head = (
        f"From: {formataddr(parseaddr(sender))}",
        f"To: {plain_address(mail.to)}",
        f"Subject: {_header(mail.subject)}",
        f"Date: {format_datetime(mail.dated)}",
        f"Message-ID: <{mail.event_id}@{sender_domain(sender)}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
    )
    parts = (_part(boundary, "plain", mail.plain), _part(boundary, "html", mail.html))
    return b"".join((_block(head), *parts, f"--{boundary}--{_END}".encode()))


def _part(boundary: str, subtype: str, text: str) -> bytes:
    head = (
        f"--{boundary}",
        f'Content-Type: text/{subtype}; charset="utf-8"',
        "Content-Transfer-Encoding: quoted-printable",
    )
    return _block(head) + b2a_qp(text.replace("\n", _END).encode()) + _END.encode()


def _block(lines: Iterable[str]) -> bytes:
    return _END.join((*lines, "", "")).encode("ascii")


def _header(text: str) -> str:
    """Whatever it holds, it stays within its header."""
    if text.isascii() and text.isprintable():
        return text
    return Header(text, "utf-8").encode(linesep=_END)


def sender_address(sender: str) -> str:
    return parseaddr(sender)[1]


def sender_domain(sender: str) -> str:
    return sender_address(sender).rpartition("@")[2]
