"""The public API, as `/notifications/...` through the gateway."""

from typing import Annotated

from fastapi import Query

from libs.db import ExpressionsDep
from libs.pagination import Page, Paging
from libs.routing import service_router
from libs.security import User

from . import service
from .models import MailStatus
from .schemas import NotificationRead

router = service_router(prefix="/v1/notifications", tags=["notifications"])


@router.get("")
async def list_notifications(
    viewer: User,
    reader: ExpressionsDep,
    paging: Paging,
    status: Annotated[MailStatus | None, Query()] = None,
) -> Page[NotificationRead]:
    """The mails to oneself (an admin: all), newest first."""
    items, total = await service.list_mails(reader, viewer, paging, status=status)
    return Page(items=items, total=total, limit=paging.limit, offset=paging.offset)
