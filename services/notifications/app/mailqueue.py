"""The rows of the mail queue: taken by lease, and the statements that settle them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, func, literal, select, update

from libs.db import Reader
from libs.sql import fetch_all, run

from .layout import clean
from .models import Mail, MailStatus

_LONGEST_REASON = 500
# In the statement's text: with a parameter no prepared plan can use the index of queued ones.
_QUEUED = literal(MailStatus.QUEUED, literal_execute=True)

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
WHERE id = ANY(%s) AND status = 'QUEUED'"""

Settlement = Callable[[Reader], Awaitable[object]]
"""One statement that writes what became of mails at an attempt."""


async def take(session: Reader, *, limit: int, lease: float) -> list[Mail]:
    """The oldest mails that are due, ours alone for `lease` seconds."""
    taken = await fetch_all(session, _TAKE, {"limit": limit, "lease": lease})
    return sorted((Mail(**mail) for mail in taken), key=lambda mail: mail.id)


async def count_queued(session: Reader) -> int:
    waiting = select(func.count()).select_from(Mail).where(Mail.status == _QUEUED)
    return await session.scalar(waiting) or 0


def give_back(mails: Sequence[Mail]) -> Settlement:
    """Untouched: they keep their place and their attempts."""
    return _written(update(Mail).where(_ours(mails)).values(leased_until=None))


def mark_sent(mails: Sequence[Mail]) -> Settlement:
    """These are out, whoever holds the lease by now."""
    ids = [mail.id for mail in mails]
    return lambda session: run(session, _MARK_SENT, (ids,))


def mark_failed(mail: Mail, *, reason: str) -> Settlement:
    return _settled(mail, status=MailStatus.FAILED, failure=_short(reason))


def put_off(mail: Mail, *, reason: str, seconds: float, unconfirmed: bool) -> Settlement:
    """Try again in `seconds`; the others go on meanwhile."""
    return _settled(
        mail,
        next_attempt_at=func.now() + timedelta(seconds=seconds),
        unconfirmed=Mail.unconfirmed + int(unconfirmed),
        last_error=_short(reason),
    )


def _settled(mail: Mail, **values: Any) -> Settlement:
    settled = update(Mail).where(_ours([mail]))
    return _written(settled.values(leased_until=None, attempts=Mail.attempts + 1, **values))


def _written(statement: Update) -> Settlement:
    return lambda session: session.execute(statement)


def _ours(mails: Sequence[Mail]) -> ColumnElement[bool]:
    """Only while the lease holds: after it, the next holder has the word."""
    return and_(
        Mail.id.in_([mail.id for mail in mails]),
        Mail.status == _QUEUED,
        Mail.leased_until.in_({mail.leased_until for mail in mails}),
    )


def _short(reason: str) -> str:
    """A server's words may hold bytes that the database does not take."""
    return clean(reason.encode(errors="replace").decode())[:_LONGEST_REASON]
