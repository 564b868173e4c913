"""What MailHog got: a mail that came twice shows by its Message-ID."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from .outcome import Outcome

RULE = "no mail came twice"
_PAGE = 250


def check_mailbox(mailhog: str, allowed: int, progress: Callable[[int], None]) -> Outcome:
    try:
        message_ids = [*_read(mailhog, progress).values()]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return Outcome(RULE, {}, skipped=f"no answer from {mailhog} ({type(error).__name__})")
    return check_copies(message_ids, allowed)


def check_copies(message_ids: Sequence[str], allowed: int) -> Outcome:
    """As many copies as `allowed` are no breach: a mailer that dies between the server's answer
    and its mark has to send again, with the same Message-ID."""
    times = Counter(message_ids)
    doubled = [f"{name} came {count} times" for name, count in sorted(times.items()) if count > 1]
    surplus = len(message_ids) - len(times)
    numbers = {"mails": len(message_ids), "surplus": surplus}
    return Outcome(RULE, numbers, doubled if surplus > allowed else ())


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
