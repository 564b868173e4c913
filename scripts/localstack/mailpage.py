"""The page that lists the mails, for people. Nothing of a mail is ever markup here."""

from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from html import escape

from .mailjson import parse
from .mailstore import Mail, MailStore, created_text

PAGE_SIZE = 50
HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Mails</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color-scheme: light dark; }
details { border-top: 1px solid #8884; padding: .5rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
small { color: #777; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8881; padding: .75rem; }
</style></head><body>
"""


def render(store: MailStore, start: int) -> str:
    mails = store.page(start, PAGE_SIZE)
    title = f"<h1>Mails</h1><p>{len(store)} in all, newest first.</p>"
    listed = "".join(_entry(mail) for mail in mails) or "<p>No mails yet.</p>"
    return f"{HEAD}{title}{listed}<p>{_links(len(store), start)}</p></body></html>\n"


def _links(total: int, start: int) -> str:
    newer = f'<a href="/?start={max(0, start - PAGE_SIZE)}">newer</a> ' if start else ""
    more = start + PAGE_SIZE
    return newer + (f'<a href="/?start={more}">older</a>' if more < total else "")


def _entry(mail: Mail) -> str:
    message = parse(mail)
    subject = escape(decoded(message.get("Subject")) or "(no subject)")
    who = escape(f"{mail.sender} → {', '.join(mail.recipients)}")
    summary = f"<b>{subject}</b><br><small>{who} · {created_text(mail)}</small>"
    return (
        f"<details><summary>{summary}</summary><pre>{escape(text_of(message))}</pre>"
        f'<a href="/mails/{escape(mail.id)}">source</a></details>'
    )


def decoded(value: object) -> str:
    """A header as a reader should see it; as sent when it does not decode."""
    raw = "".join(str(value or "").splitlines())
    try:
        return str(make_header(decode_header(raw)))
    except (ValueError, LookupError, MessageError):
        return raw


def text_of(message: Message) -> str:
    parts = [part for part in message.walk() if not part.is_multipart()]
    plain = [part for part in parts if part.get_content_type() == "text/plain"]
    return "\n".join(_body(part) for part in plain or parts[:1])


def _body(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset() or "utf-8", errors="replace")
    except LookupError:
        return payload.decode(errors="replace")
