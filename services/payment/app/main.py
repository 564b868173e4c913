"""Payment: a mock payment API with a ledger; refunds cancelled orders."""

from libs.app import Tables, create_service_app, service_root

from .config import PaymentSettings
from .handlers import HANDLERS
from .internal_routes import router as internal_router
from .models import IdempotencyKey, InboxMessage, outbox
from .routes import router

app = create_service_app(
    "payment",
    PaymentSettings,
    routers=[router, internal_router],
    tables=Tables(service_root(__file__), outbox, InboxMessage, IdempotencyKey),
    handlers=HANDLERS,
)
