"""What only Payment needs."""

from libs.config import BaseUrl, DatabaseSettings


class PaymentSettings(DatabaseSettings):
    order_base: BaseUrl = "http://order:8000"
