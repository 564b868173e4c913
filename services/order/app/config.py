"""What only Order needs."""

from libs.config import BaseUrl, DatabaseSettings, Seconds


class OrderSettings(DatabaseSettings):
    cart_base: BaseUrl = "http://cart:8000"
    catalog_base: BaseUrl = "http://catalog:8000"
    payment_base: BaseUrl = "http://payment:8000"
    shipping_base: BaseUrl = "http://shipping:8000"

    order_payment_ttl: Seconds = 30 * 60
    """An order that is not paid within so many seconds is cancelled."""

    draft_timeout: Seconds = 1
    """How long a checkout waits for Shipping's draft; `order.created` creates it otherwise."""
