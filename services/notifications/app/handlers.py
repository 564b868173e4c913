"""Events that Notifications reacts to, and the mail that each becomes."""

from typing import Any

from libs.consumer import Handlers
from libs.events import Event
from libs.unit_of_work import Transaction

from . import service
from .templates import TEMPLATES


async def on_event(transaction: Transaction, event: Event[Any]) -> None:
    await service.queue_mail(transaction, event)


HANDLERS: Handlers = dict.fromkeys(TEMPLATES, on_event)
