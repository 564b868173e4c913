"""Use cases: queue the mail of an event, list mails."""

from datetime import UTC
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.events import Event
from libs.pagination import PageRequest
from libs.security import Principal
from libs.sql import run
from libs.unit_of_work import Transaction

from .layout import render_html, render_text
from .models import MAILS, Mail, MailStatus
from .schemas import NotificationRead
from .templates import TEMPLATES

_LISTED = (
    Mail.id,
    Mail.type,
    Mail.order_id,
    Mail.to.label("to"),
    Mail.subject,
    Mail.status,
    Mail.created_at,
    Mail.sent_at,
)
"""Never the texts of a page full of mails."""

_INSERT = """
INSERT INTO notifications.mails
    (event_id, type, order_id, user_id, recipient, subject, plain, html, dated)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[],
                     %s::text[], %s::text[], %s::timestamptz[])"""


async def queue_mail(transaction: Transaction, event: Event[Any]) -> None:
    """Queue the one mail of an event; what it says is settled here."""
    letter = TEMPLATES[type(event.data)](event.data)
    mail = (
        event.id,
        event.data.type,
        event.data.order_id,
        event.data.user_id,
        event.data.email.replace("\x00", "\ufffd"),
        letter.subject,
        render_text(letter),
        render_html(letter),
        event.time.astimezone(UTC),
    )
    transaction.pending.setdefault(MAILS, []).append(mail)
    transaction.before_commit(_insert)
    transaction.queues.add(MAILS)


async def _insert(transaction: Transaction) -> None:
    """The mails of a batch of events, in one statement."""
    columns = zip(*transaction.pending.pop(MAILS), strict=True)
    await run(transaction, _INSERT, [list(column) for column in columns])


async def list_mails(
    reader: AsyncConnection, viewer: Principal, paging: PageRequest, *, status: MailStatus | None
) -> tuple[list[NotificationRead], int]:
    """A page, newest first, and how many there are; only an admin sees those of others."""
    chosen = [] if viewer.is_admin else [Mail.user_id == viewer.user_id]
    if status is not None:
        chosen.append(Mail.status == status)
    page = select(*_LISTED).where(*chosen).order_by(Mail.id.desc())
    mails = await reader.execute(page.limit(paging.limit).offset(paging.offset))
    total = await reader.scalar(select(func.count()).select_from(Mail).where(*chosen))
    return [NotificationRead.model_validate(mail) for mail in mails], total or 0
