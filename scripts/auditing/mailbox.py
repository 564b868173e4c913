"""What MailHog got: a mail that came twice shows by its Message-ID, and one that never came too."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, LiteralString, NamedTuple

import httpx
from psycopg.rows import class_row

from ..topics.database import Connection
from .outcome import Outcome

RULE = "no mail came twice"
DELIVERED = "every mail that is sent is in the mailbox"
_PAGE = 250
_SLACK_SECONDS = 60
"""Mails are marked as sent in about the order in which they went."""

# No mailbox of a development stack keeps more; what fill.py has made up went to nobody.
_SENT: LiteralString = """
SELECT * FROM (
    SELECT id, event_id::text, type, order_id, extract(epoch FROM sent_at)::float AS sent_at
    FROM notifications.mails WHERE status = 'SENT' AND recipient NOT LIKE '%@fill.example'
    ORDER BY mails.sent_at DESC, id DESC LIMIT 50000
) newest ORDER BY sent_at, id"""


class SentMail(NamedTuple):
    id: int
    event_id: str
    type: str
    order_id: int
    sent_at: float

    def named(self) -> str:
        return f"mail {self.id} ({self.type} of order {self.order_id}) is SENT, but not there"


def load_sent(connection: Connection) -> list[SentMail]:
    """The newest, in the order in which they were sent."""
    with connection.cursor(row_factory=class_row(SentMail)) as cursor:
        return cursor.execute(_SENT).fetchall()


def check_mailbox(
    mailhog: str, sent: Sequence[SentMail], allowed: int, progress: Callable[[int], None]
) -> Iterator[Outcome]:
    """`sent` must have been read before."""
    try:
        message_ids = [*_read(mailhog, progress).values()]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = f"no answer from {mailhog} ({type(error).__name__})"
        yield from (Outcome(rule, {}, skipped=reason) for rule in (RULE, DELIVERED))
    else:
        yield check_copies(message_ids, allowed)
        yield check_delivered(message_ids, sent)


def check_copies(message_ids: Sequence[str], allowed: int) -> Outcome:
    """As many copies as `allowed` are no breach: a mailer that dies between the server's answer
    and its mark has to send again, with the same Message-ID."""
    times = Counter(message_ids)
    doubled = [f"{name} came {count} times" for name, count in sorted(times.items()) if count > 1]
    surplus = len(message_ids) - len(times)
    numbers = {"mails": len(message_ids), "surplus": surplus}
    return Outcome(RULE, numbers, doubled if surplus > allowed else ())


def check_delivered(message_ids: Sequence[str], sent: Sequence[SentMail]) -> Outcome:
    """But for what was sent before the oldest mail in the box: it keeps so many, and may forget
    all when it starts again."""
    there = {name.strip("<>").split("@")[0] for name in message_ids}
    absent = [mail for mail in sent if mail.event_id not in there]
    begin = _begin(sent, there)
    missing = [mail for mail in absent if mail.sent_at >= begin]
    numbers = {
        "sent": len(sent),
        "not_kept": len(absent) - len(missing),
        "missing": len(missing),
    }
    return Outcome(DELIVERED, numbers, [mail.named() for mail in missing])


def _begin(sent: Sequence[SentMail], there: set[str]) -> float:
    """The time from which on all must be there."""
    oldest = next((mail for mail in sent if mail.event_id in there), None)
    if oldest is None:
        return float("inf")
    return oldest.sent_at + (0 if oldest is sent[0] else _SLACK_SECONDS)


def _read(mailhog: str, progress: Callable[[int], None]) -> dict[str, str]:
    """MailHog's id and Message-ID of each mail; pages shift when a mail comes meanwhile."""
    found: dict[str, str] = {}
    with httpx.Client(base_url=mailhog, timeout=30, trust_env=False) as http:
        start, total = 0, 1
        while start < total:
            page = {"start": start, "limit": _PAGE}
            body = http.get("/api/v2/messages", params=page).raise_for_status().json()
            items = body["items"]
            found |= {str(item["ID"]): _message_id(item) for item in items}
            start, total = start + max(1, len(items)), int(body["total"])
            progress(len(found))
    return {identity: name for identity, name in found.items() if name}


def _message_id(item: dict[str, Any]) -> str:
    headers = {name.lower(): values for name, values in item["Content"]["Headers"].items()}
    values = headers.get("message-id") or [""]
    return str(values[0])
