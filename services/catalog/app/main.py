"""Catalog: categories, products and their images, stock and the reservations of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.app import ServiceContext, create_service_app, service_root
from libs.health import service_check
from libs.tables import Tables

from .clients import OrderClient
from .config import CatalogSettings
from .handlers import HANDLERS, lock_reservations
from .image_store import ImageStore
from .internal_routes import router as internal_router
from .models import InboxMessage, outbox
from .routes import routers
from .sweeper import Sweeper


@asynccontextmanager
async def extras(context: ServiceContext[CatalogSettings]) -> AsyncIterator[None]:
    settings = context.settings
    store = context.app.state.image_store = ImageStore(settings)
    context.checks.append(store.check())
    order = context.client("order", settings.order_base)
    context.checks.append(service_check(order))
    sweeper = Sweeper(context.database, OrderClient(order), ttl=settings.reservation_ttl)
    context.add_loop("sweeper", sweeper.run)
    try:
        yield
    finally:
        store.close()


app = create_service_app(
    "catalog",
    CatalogSettings,
    routers=[*routers, internal_router],
    tables=Tables(
        service_root(__file__), outbox, InboxMessage, handlers=HANDLERS, prepare=lock_reservations
    ),
    extras=extras,
)
