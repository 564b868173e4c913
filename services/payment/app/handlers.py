"""Events that Payment reacts to."""

from sqlalchemy.ext.asyncio import AsyncSession

from libs.consumer import Handlers
from libs.events import Event, OrderCancelled

from . import service


async def on_order_cancelled(session: AsyncSession, event: Event[OrderCancelled]) -> None:
    await service.cancel_order(session, order_id=event.data.order_id, reason=event.data.reason)


HANDLERS: Handlers = {OrderCancelled: on_order_cancelled}
