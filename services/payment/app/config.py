"""What only Payment needs."""

from libs.config import BaseUrl, ServiceSettings


class PaymentSettings(ServiceSettings):
    order_base: BaseUrl = "http://order:8000"
