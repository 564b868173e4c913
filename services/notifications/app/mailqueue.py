"""The rows of the mail queue: taken by lease, and the statements that settle them."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Update, and_, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from .layout import clean
from .models import Mail, MailStatus

_LONGEST_REASON = 500
# In the statement's text: with a parameter no prepared plan can use the index of queued ones.
_QUEUED = literal(MailStatus.QUEUED, literal_execute=True)


async def take(session: AsyncSession, *, limit: int, lease: float) -> list[Mail]:
    """The oldest mails that are due, ours alone for `lease` seconds."""
    due = (
        select(Mail.id)
        .where(
            Mail.status == _QUEUED,
            Mail.next_attempt_at <= func.now(),
            or_(Mail.leased_until.is_(None), Mail.leased_until <= func.now()),
        )
        .order_by(Mail.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    # MATERIALIZED, so that the limit and the locks hold once, whatever the plan.
    chosen = due.cte("due").prefix_with("MATERIALIZED")
    taken = (
        update(Mail)
        .where(Mail.id.in_(select(chosen.c.id)))
        .values(leased_until=func.now() + timedelta(seconds=lease))
        .returning(Mail)
    )
    return sorted(await session.scalars(taken), key=lambda mail: mail.id)


async def count_queued(session: AsyncSession) -> int:
    waiting = select(func.count()).select_from(Mail).where(Mail.status == _QUEUED)
    return await session.scalar(waiting) or 0


def give_back(mails: Sequence[Mail]) -> Update:
    """Untouched: they keep their place and their attempts."""
    return update(Mail).where(_ours(mails)).values(leased_until=None)


def mark_sent(mails: Sequence[Mail]) -> Update:
    """These are out, whoever holds the lease by now."""
    ids = [mail.id for mail in mails]
    return (
        update(Mail)
        .where(Mail.id.in_(ids), Mail.status == _QUEUED)
        .values(
            status=MailStatus.SENT,
            sent_at=func.now(),
            leased_until=None,
            attempts=Mail.attempts + 1,
        )
    )


def mark_failed(mail: Mail, *, reason: str) -> Update:
    return _settle(mail).values(status=MailStatus.FAILED, failure=_short(reason))


def put_off(mail: Mail, *, reason: str, seconds: float, unconfirmed: bool) -> Update:
    """Try again in `seconds`; the others go on meanwhile."""
    return _settle(mail).values(
        next_attempt_at=func.now() + timedelta(seconds=seconds),
        unconfirmed=Mail.unconfirmed + int(unconfirmed),
        last_error=_short(reason),
    )


def _settle(mail: Mail) -> Update:
    return update(Mail).where(_ours([mail])).values(leased_until=None, attempts=Mail.attempts + 1)


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
