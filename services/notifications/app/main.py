"""Notifications: each event becomes one mail in a queue, and a loop sends the queue over SMTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.app import ServiceContext, create_service_app, service_root
from libs.tables import Tables

from .config import NotificationsSettings
from .handlers import HANDLERS
from .mailer import Mailer
from .models import MAILS, InboxMessage, outbox
from .routes import router
from .smtp import smtp_check


@asynccontextmanager
async def add_mailer(context: ServiceContext[NotificationsSettings]) -> AsyncIterator[None]:
    context.checks.append(smtp_check(context.settings))
    mailer = Mailer(context.database, context.settings)
    loop = context.add_loop("mailer", mailer.run)
    context.database.on_commit(MAILS, loop.wake)
    yield


app = create_service_app(
    "notifications",
    NotificationsSettings,
    routers=[router],
    tables=Tables(service_root(__file__), outbox, InboxMessage, handlers=HANDLERS),
    extras=add_mailer,
)
