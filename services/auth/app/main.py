"""Auth: users, logins, and sessions whose refresh tokens rotate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.app import ServiceContext, create_service_app, service_root
from libs.tables import Tables

from .cleaner import Cleaner
from .config import AuthSettings
from .passwords import HashPool, make_crypt_context
from .routes import router


@asynccontextmanager
async def extras(context: ServiceContext[AuthSettings]) -> AsyncIterator[None]:
    context.app.state.crypt = make_crypt_context()
    pool = context.app.state.hash_pool = HashPool(context.settings)
    pool.prepare(context.app.state.crypt)
    context.add_loop("cleaner", Cleaner(context.database).run)
    try:
        yield
    finally:
        pool.close()


app = create_service_app(
    "auth",
    AuthSettings,
    routers=[router],
    tables=Tables(service_root(__file__)),
    extras=extras,
)
