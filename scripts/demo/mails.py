"""Reads MailHog's `/api/v2/messages`, whose shape differs between versions and look-alikes."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

import httpx

from ..console import ScriptError


@dataclass(frozen=True)
class Mail:
    recipient: str
    subject: str


def fetch_mails(mailhog: str, limit: int = 50) -> list[Mail]:
    """The latest mails, newest first."""
    try:
        response = httpx.get(
            f"{mailhog}/api/v2/messages", params={"limit": limit}, timeout=10, trust_env=False
        )
        response.raise_for_status()
        body = response.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ScriptError(
            f"Mails failed: MailHog at {mailhog} gives no mails ({type(error).__name__}); "
            "--mailhog says where it is"
        ) from None
    items = body.get("items") if isinstance(body, dict) else body
    return [parse_mail(item) for item in items or [] if isinstance(item, dict)]


def parse_mail(item: Mapping[str, Any]) -> Mail:
    headers = _headers(item)
    recipient = _root_recipient(item.get("To")) or _first(headers.get("to"))
    return Mail(recipient=_decode(recipient), subject=_decode(_first(headers.get("subject"))))


def _headers(item: Mapping[str, Any]) -> dict[str, Any]:
    content = item.get("Content")
    headers = content.get("Headers") if isinstance(content, dict) else item.get("Headers")
    return {k.lower(): v for k, v in headers.items()} if isinstance(headers, dict) else {}


def _root_recipient(to: Any) -> str:
    """From `[{Mailbox, Domain}]`, `["ann@x.com"]` or `"ann@x.com"`."""
    first = to[0] if isinstance(to, list) and to else to
    if isinstance(first, dict):
        mailbox, domain = first.get("Mailbox"), first.get("Domain")
        return f"{mailbox}@{domain}" if mailbox and domain else ""
    return first if isinstance(first, str) else ""


def _first(value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    return value if isinstance(value, str) else ""


def _decode(text: str) -> str:
    """An RFC 2047 header as a reader sees it, in one line."""
    with suppress(HeaderParseError, LookupError, ValueError):  # as it came is better than nothing
        text = str(make_header(decode_header(text)))
    return " ".join(text.split())
