"""The rows of the mail queue: taken by lease, and the statements that settle them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from libs.sql import fetch_all, fetch_one, run
from libs.unit_of_work import Statements

from .layout import clean
from .models import Mail

_LONGEST_REASON = 500
# MATERIALIZED, so that the limit and the locks hold once, whatever the plan.
_TAKE = """
WITH due AS MATERIALIZED (
    SELECT id FROM notifications.mails
    WHERE status = 'QUEUED' AND next_attempt_at <= now()
      AND (leased_until IS NULL OR leased_until <= now())
    ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
UPDATE notifications.mails SET leased_until = now() + make_interval(secs => %(lease)s)
WHERE id IN (SELECT id FROM due)
RETURNING id, event_id, type, recipient AS "to", subject, plain, html, dated, attempts,
          unconfirmed, leased_until"""
_MARK_SENT = """
UPDATE notifications.mails
SET status = 'SENT', sent_at = now(), leased_until = NULL, attempts = attempts + 1
WHERE id = ANY(%(ids)s) AND status = 'QUEUED'"""
# Only while the lease holds: after it, the next holder has the word.
_OURS = "WHERE id = ANY(%(ids)s) AND status = 'QUEUED' AND leased_until = ANY(%(lease)s)"
_GIVE_BACK = f"UPDATE notifications.mails SET leased_until = NULL {_OURS}"  # noqa: S608
_MARK_FAILED = f"""
UPDATE notifications.mails
SET status = 'FAILED', failure = %(reason)s, leased_until = NULL, attempts = attempts + 1
{_OURS}"""  # noqa: S608
_PUT_OFF = f"""
UPDATE notifications.mails
SET next_attempt_at = now() + make_interval(secs => %(seconds)s), last_error = %(reason)s,
    unconfirmed = unconfirmed + %(unconfirmed)s, leased_until = NULL, attempts = attempts + 1
{_OURS}"""  # noqa: S608
_COUNT_QUEUED = "SELECT count(*) AS queued FROM notifications.mails WHERE status = 'QUEUED'"

Settlement = Callable[[Statements], Awaitable[object]]
"""One statement that writes what became of mails at an attempt."""


async def take(statements: Statements, *, limit: int, lease: float) -> list[Mail]:
    """The oldest mails that are due, ours alone for `lease` seconds."""
    taken = await fetch_all(statements, _TAKE, {"limit": limit, "lease": lease})
    return sorted((Mail(**mail) for mail in taken), key=lambda mail: mail.id)


async def count_queued(statements: Statements) -> int:
    found = await fetch_one(statements, _COUNT_QUEUED)
    return found["queued"] if found else 0


def give_back(mails: Sequence[Mail]) -> Settlement:
    """Untouched: they keep their place and their attempts."""
    lease = {mail.leased_until for mail in mails}
    return _written(_GIVE_BACK, {"ids": [mail.id for mail in mails], "lease": list(lease)})


def mark_sent(mails: Sequence[Mail]) -> Settlement:
    """These are out, whoever holds the lease by now."""
    return _written(_MARK_SENT, {"ids": [mail.id for mail in mails]})


def mark_failed(mail: Mail, *, reason: str) -> Settlement:
    return _written(_MARK_FAILED, _ours(mail) | {"reason": _short(reason)})


def put_off(mail: Mail, *, reason: str, seconds: float, unconfirmed: bool) -> Settlement:
    """Try again in `seconds`; the others go on meanwhile."""
    wait = {"reason": _short(reason), "seconds": seconds, "unconfirmed": int(unconfirmed)}
    return _written(_PUT_OFF, _ours(mail) | wait)


def _ours(mail: Mail) -> dict[str, Any]:
    return {"ids": [mail.id], "lease": [mail.leased_until]}


def _written(statement: str, values: Mapping[str, Any]) -> Settlement:
    return lambda statements: run(statements, statement, values)


def _short(reason: str) -> str:
    """A server's words may hold bytes that the database does not take."""
    return clean(reason.encode(errors="replace").decode())[:_LONGEST_REASON]
