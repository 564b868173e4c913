"""A stand-in for MailHog: takes mail by SMTP, shows it over HTTP (its API, and a page for people).

python -m scripts.localstack.mailhog --smtp-port 1025 --http-port 8025 --file mails.jsonl
"""

import argparse
import asyncio
import json
import signal
import time
import uuid
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from .mailjson import as_item, parse
from .mailpage import render
from .mailstore import Mail, MailStore

LOOPBACK = "127.0.0.1"
LARGEST_MAIL = 10 << 20
LARGEST_PAGE = 250
IDLE_LIMIT = 60.0
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Inbox:
    """What aiosmtpd calls for each mail."""

    def __init__(self, store: MailStore) -> None:
        self.store = store

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content or b""
        data = content if isinstance(content, bytes) else content.encode()
        recipients = tuple(str(recipient) for recipient in envelope.rcpt_tos)
        sender = str(envelope.mail_from or "")
        self.store.add(Mail(uuid.uuid4().hex, sender, recipients, data, time.time()))
        return "250 OK"


@dataclass(frozen=True)
class Answer:
    body: bytes = b""
    kind: str = "application/json"
    status: HTTPStatus = HTTPStatus.OK


def answer(store: MailStore, method: str, target: str) -> Answer:
    url = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(url.query).items()}
    *_, identity = url.path.split("/")
    match method, url.path:
        case "GET", "/":
            return Answer(render(store, _number(query, "start", 0)).encode(), "text/html")
        case "GET", "/api/v2/messages" | "/api/v1/messages":
            return _json(_listing(list(store.newest_first()), query, url.path))
        case "GET", "/api/v2/search":
            return _json(_listing(_search(store, query), query, url.path))
        case "DELETE", "/api/v1/messages":
            store.clear()
            return Answer()
    mail = store.find(unquote(identity))
    if mail is None:
        return Answer(b'{"error": "not found"}', status=HTTPStatus.NOT_FOUND)
    if method == "DELETE" and url.path.startswith("/api/v1/messages/"):
        store.remove(mail.id)
        return Answer()
    if url.path.startswith("/mails/"):
        return Answer(mail.data, "text/plain")
    return _json(as_item(mail))


def _listing(
    mails: list[Mail], query: dict[str, str], path: str
) -> dict[str, object] | list[object]:
    start = _number(query, "start", 0)
    limit = min(_number(query, "limit", 50), LARGEST_PAGE)
    items: list[object] = [as_item(mail) for mail in mails[start : start + limit]]
    if path.startswith("/api/v1/"):
        return items
    return {"total": len(mails), "count": len(items), "start": start, "items": items}


def _search(store: MailStore, query: dict[str, str]) -> list[Mail]:
    wanted = query.get("query", "").casefold()
    kind = query.get("kind", "containing")

    def text(mail: Mail) -> str:
        message: Message = parse(mail)
        if kind == "to":
            return " ".join((*mail.recipients, str(message.get("To", ""))))
        if kind == "from":
            return f"{mail.sender} {message.get('From', '')}"
        return mail.data.decode(errors="replace")

    return [mail for mail in store.newest_first() if wanted in text(mail).casefold()]


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default


def _json(value: object) -> Answer:
    return Answer(json.dumps(value).encode())


async def serve_http(
    store: MailStore, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        while True:
            async with asyncio.timeout(IDLE_LIMIT):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            writer.write(_response(answer(store, method, target)))
            await writer.drain()
            if method not in {"GET", "DELETE"} or "connection: close" in head.lower():
                break
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        pass
    except asyncio.LimitOverrunError:
        writer.write(_response(Answer(status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)))
    finally:
        writer.close()


def _response(reply: Answer) -> bytes:
    head = (
        f"HTTP/1.1 {reply.status.value} {reply.status.phrase}\r\n"
        f"Content-Type: {reply.kind}; charset=utf-8\r\nContent-Length: {len(reply.body)}\r\n"
        f"Content-Security-Policy: {POLICY}\r\nX-Content-Type-Options: nosniff\r\n\r\n"
    )
    return head.encode() + reply.body


async def serve(smtp_port: int, http_port: int, store: MailStore) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    inbox = Inbox(store)

    def session() -> SMTP:
        return SMTP(inbox, data_size_limit=LARGEST_MAIL, ident="mail stand-in", loop=loop)

    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_http(store, reader, writer)

    async with (
        await loop.create_server(session, LOOPBACK, smtp_port),
        await asyncio.start_server(http, LOOPBACK, http_port),
    ):
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="SMTP in, MailHog's API out.")
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8025)
    parser.add_argument("--file", type=Path)
    asked = parser.parse_args()
    uvloop.run(serve(asked.smtp_port, asked.http_port, MailStore(asked.file)))


if __name__ == "__main__":
    main()
