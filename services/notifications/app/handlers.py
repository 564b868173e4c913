"""Events that Notifications reacts to, and the mail that each becomes."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from libs.consumer import Handlers
from libs.events import Event

from . import service
from .templates import TEMPLATES


async def on_event(session: AsyncSession, event: Event[Any]) -> None:
    await service.queue_mail(session, event)


HANDLERS: Handlers = dict.fromkeys(TEMPLATES, on_event)
