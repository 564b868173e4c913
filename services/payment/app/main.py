"""Payment: a mock payment API with a ledger; refunds cancelled orders."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.app import ServiceContext, create_service_app, service_root
from libs.health import service_check
from libs.tables import Tables

from .clients import OrderClient
from .config import PaymentSettings
from .handlers import HANDLERS
from .internal_routes import router as internal_router
from .models import IdempotencyKey, InboxMessage, outbox
from .routes import router


@asynccontextmanager
async def extras(context: ServiceContext[PaymentSettings]) -> AsyncIterator[None]:
    order = context.client("order", context.settings.order_base)
    context.app.state.orders = OrderClient(order)
    context.checks.append(service_check(order))
    yield


app = create_service_app(
    "payment",
    PaymentSettings,
    routers=[router, internal_router],
    tables=Tables(service_root(__file__), outbox, InboxMessage, IdempotencyKey, handlers=HANDLERS),
    extras=extras,
)
