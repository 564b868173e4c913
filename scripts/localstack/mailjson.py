"""Mails in the JSON shape of MailHog's API. Headers and bodies stay as sent, undecoded."""

from email import policy
from email.message import Message
from email.parser import BytesParser
from typing import Any

from .mailstore import Mail, created_text

Json = dict[str, Any]


def as_item(mail: Mail) -> Json:
    message = parse(mail)
    return {
        "ID": mail.id,
        "From": _path(mail.sender),
        "To": [_path(recipient) for recipient in mail.recipients],
        "Content": _content(message, mail.data),
        "Created": created_text(mail),
        "MIME": _mime(message),
        "Raw": {
            "From": mail.sender,
            "To": list(mail.recipients),
            "Data": mail.data.decode(errors="replace"),
            "Helo": "",
        },
    }


def parse(mail: Mail) -> Message:
    return BytesParser(policy=policy.compat32).parsebytes(mail.data)


def _path(address: str) -> Json:
    mailbox, _, domain = address.rpartition("@")
    return {"Relays": None, "Mailbox": mailbox, "Domain": domain, "Params": ""}


def _content(message: Message, data: bytes) -> Json:
    _, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    text = body.decode(errors="replace").replace("\n", "\r\n")
    return {"Headers": _headers(message), "Body": text, "Size": len(data), "MIME": None}


def _headers(message: Message) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in message.items():
        unfolded = "".join(str(value).splitlines())
        headers.setdefault(_canonical(name), []).append(unfolded)
    return headers


def _canonical(name: str) -> str:
    return "-".join(part[:1].upper() + part[1:] for part in name.split("-"))


def _mime(message: Message) -> Json | None:
    if not message.is_multipart():
        return None
    return {"Parts": [_content(part, part.as_bytes()) for part in _parts(message)]}


def _parts(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if message.is_multipart() else []
