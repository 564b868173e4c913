"""Events that Payment reacts to."""

from libs.consumer import Handlers
from libs.events import Event, OrderCancelled
from libs.unit_of_work import Transaction

from . import service


async def on_order_cancelled(transaction: Transaction, event: Event[OrderCancelled]) -> None:
    await service.cancel_order(transaction, order_id=event.data.order_id, reason=event.data.reason)


HANDLERS: Handlers = {OrderCancelled: on_order_cancelled}
