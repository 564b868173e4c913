"""Order: checkout, cancellation, and the status that payments and shipments give an order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.app import ServiceContext, create_service_app, service_root
from libs.health import service_check
from libs.tables import Tables

from .cancellation import Expiry
from .clients import make_clients
from .config import OrderSettings
from .handlers import HANDLERS, lock_orders
from .internal_routes import router as internal_router
from .models import IdempotencyKey, InboxMessage, outbox
from .routes import router


@asynccontextmanager
async def extras(context: ServiceContext[OrderSettings]) -> AsyncIterator[None]:
    clients = context.app.state.clients = make_clients(context)
    expiry = Expiry(context.database, clients, ttl=context.settings.order_payment_ttl)
    context.add_loop("expiry", expiry.run)
    context.checks += [service_check(client) for client in clients.all]
    yield


app = create_service_app(
    "order",
    OrderSettings,
    routers=[router, internal_router],
    tables=Tables(
        service_root(__file__),
        outbox,
        InboxMessage,
        IdempotencyKey,
        handlers=HANDLERS,
        prepare=lock_orders,
    ),
    extras=extras,
)
