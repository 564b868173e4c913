"""Cart: what a customer wants to buy, in Redis."""

from libs.app import create_service_app

from .config import CartSettings
from .internal_routes import router as internal_router
from .routes import router
from .store import cart_store

app = create_service_app("cart", CartSettings, routers=[router, internal_router], extras=cart_store)
