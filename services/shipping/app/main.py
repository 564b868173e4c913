"""Shipping: an order's shipment, from its draft to its dispatch or cancellation."""

from libs.app import Tables, create_service_app, service_root
from libs.config import ServiceSettings

from .handlers import HANDLERS
from .internal_routes import router as internal_router
from .models import InboxMessage, outbox
from .routes import router

app = create_service_app(
    "shipping",
    ServiceSettings,
    routers=[router, internal_router],
    tables=Tables(service_root(__file__), outbox, InboxMessage),
    handlers=HANDLERS,
)
