"""Shipping: an order's shipment, from its draft to its dispatch or cancellation."""

from libs.app import create_service_app, service_root
from libs.config import DatabaseSettings
from libs.tables import Tables

from .handlers import HANDLERS, lock_shipments
from .internal_routes import router as internal_router
from .models import InboxMessage, outbox
from .routes import router

app = create_service_app(
    "shipping",
    DatabaseSettings,
    routers=[router, internal_router],
    tables=Tables(
        service_root(__file__),
        outbox,
        InboxMessage,
        handlers=HANDLERS,
        prepare=lock_shipments,
    ),
)
