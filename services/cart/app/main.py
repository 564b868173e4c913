"""Cart: what a customer wants to buy, in Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.app import ServiceContext, create_service_app
from libs.health import service_check

from .clients import CatalogClient
from .config import CartSettings
from .internal_routes import router as internal_router
from .routes import router
from .store import cart_store


@asynccontextmanager
async def extras(context: ServiceContext[CartSettings]) -> AsyncIterator[None]:
    catalog = context.client("catalog", context.settings.catalog_base)
    context.app.state.catalog = CatalogClient(catalog)
    async with cart_store(context):
        context.checks.append(service_check(catalog))
        yield


app = create_service_app("cart", CartSettings, routers=[router, internal_router], extras=extras)
