"""Use cases: queue the mail of an event, list mails."""

from datetime import UTC
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.db import Reader, enqueued
from libs.events import Event
from libs.pagination import PageRequest
from libs.security import Principal

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


async def queue_mail(session: AsyncSession, event: Event[Any]) -> None:
    """Queue the one mail of an event; what it says is settled here."""
    letter = TEMPLATES[type(event.data)](event.data)
    session.add(
        Mail(
            event_id=event.id,
            type=event.data.type,
            order_id=event.data.order_id,
            user_id=event.data.user_id,
            to=event.data.email.replace("\x00", "\ufffd"),
            subject=letter.subject,
            plain=render_text(letter),
            html=render_html(letter),
            dated=event.time.astimezone(UTC),
        )
    )
    enqueued(session, MAILS)


async def list_mails(
    reader: Reader, viewer: Principal, paging: PageRequest, *, status: MailStatus | None
) -> tuple[list[NotificationRead], int]:
    """A page, newest first, and how many there are; only an admin sees those of others."""
    chosen = [] if viewer.is_admin else [Mail.user_id == viewer.user_id]
    if status is not None:
        chosen.append(Mail.status == status)
    page = select(*_LISTED).where(*chosen).order_by(Mail.id.desc())
    mails = await reader.execute(page.limit(paging.limit).offset(paging.offset))
    total = await reader.scalar(select(func.count()).select_from(Mail).where(*chosen))
    return [NotificationRead.model_validate(mail) for mail in mails], total or 0
