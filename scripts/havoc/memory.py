"""What customers were answered with a 2xx, which has to stay true."""

from dataclasses import dataclass, field
from typing import Any

from .shop import Account


@dataclass
class Purchase:
    """`payments` are the statuses that were answered, by id; `tried` what was asked for, with or
    without an answer."""

    customer: Account
    order_id: int
    total_cents: int
    currency: str
    payments: dict[int, str] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    cancelled: bool = False
    tracking_number: str = ""

    @property
    def payment(self) -> dict[str, Any]:
        """The body that pays for it."""
        return {
            "order_id": self.order_id,
            "amount_cents": self.total_cents,
            "currency": self.currency,
        }

    @property
    def is_paid(self) -> bool:
        return "SUCCEEDED" in self.payments.values()


@dataclass
class Memory:
    """`broken` are promises that were seen broken on the way."""

    purchases: dict[int, Purchase] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def ordered(self, customer: Account, body: dict[str, Any]) -> Purchase:
        order_id, total = int(body["order_id"]), int(body["total_cents"])
        new = Purchase(customer, order_id, total, str(body["currency"]))
        known = self.purchases.setdefault(order_id, new)
        if known.total_cents != total:
            self.broken.append(f"order {order_id} was {known.total_cents}, then {total} cents")
        return known

    def paid(self, purchase: Purchase, body: dict[str, Any]) -> None:
        purchase.payments[int(body["id"])] = str(body["status"])
        if list(purchase.payments.values()).count("SUCCEEDED") > 1:
            self.broken.append(f"order {purchase.order_id} was paid twice: {purchase.payments}")
