"""One order: cart, checkout, payment, shipping, mails."""

from typing import Any

from ..console import Console
from .mails import Mail, fetch_mails
from .preparation import CUSTOMER, TITLE
from .shop import Shop
from .steps import Steps

ADDRESS = {
    "address_line1": "1 Demo Street",
    "address_line2": "",
    "city": "Dublin",
    "country": "IE",
    "postcode": "D01XYZ",
}
MAIL_TYPES = {"order.created", "payment.succeeded", "shipping.dispatched"}


class Flow(Steps):
    """Each step prints what it did, or ends the demo with one line that says why not."""

    def __init__(self, shop: Shop, console: Console, *, admin: str, customer: str) -> None:
        super().__init__(shop, console)
        self.admin = admin
        self.customer = customer

    def check_out(self, product_id: int) -> dict[str, Any]:
        self.begin("3. Cart and checkout")
        self.call("DELETE", "/cart/v1/cart")
        item = {"product_id": product_id, "qty": 2}
        cart = self.call("POST", "/cart/v1/cart/items", json=item, expect=(201,))
        self.say(f"cart: 2 x {TITLE}, {_money(cart)}")
        path = "/order/v1/orders/checkout"
        order: dict[str, Any] = self.call("POST", path, json=ADDRESS, expect=(201,))
        self.say(f"order {order['order_id']} is {order['status']}, {_money(order)}")
        shipment = self.wait_for(lambda: self._shipment(order["order_id"]), "no shipment draft")
        self.say(f"shipment {shipment['id']} is {shipment['status']}")
        return order

    def pay(self, order: dict[str, Any]) -> None:
        self.begin("4. Payment")
        body = {
            "order_id": order["order_id"],
            "amount_cents": order["total_cents"],
            "currency": order["currency"],
        }
        path = "/payment/v1/payments/mock-succeed"
        payment = self.call("POST", path, json=body, expect=(201,))
        self.say(f"payment {payment['id']} is {payment['status']}")

    def ship(self, order_id: int) -> None:
        self.begin("5. Shipping")
        shipment = self.wait_for(
            lambda: self._shipment(order_id, "READY_TO_SHIP"), "not READY_TO_SHIP"
        )
        self.say(f"shipment {shipment['id']} is READY_TO_SHIP")
        path = f"/shipping/v1/shipments/{shipment['id']}/dispatch"
        sent = self.shop.call("POST", path, token=self.admin).json()
        self.say(f"{sent['status']} by {sent['carrier']}, tracking {sent['tracking_number']}")
        self.wait_for(lambda: self._is_shipped(order_id), "order not SHIPPED")
        self.say(f"order {order_id} is SHIPPED")

    def mails(self, order_id: int) -> None:
        """Waits for the order's mails, and prints the last few of all."""
        self.begin("6. Mails")
        subjects = self.wait_for(lambda: self._sent(order_id), "not all three mails are sent")
        mails = self.wait_for(lambda: self._arrived(subjects), "MailHog has not got all mails")
        for mail in mails[:5]:
            self.say(f"to {mail.recipient}: {mail.subject}")

    def _shipment(self, order_id: int, status: str = "") -> dict[str, Any] | None:
        found = self.call("GET", "/shipping/v1/shipments", params={"order_id": order_id})
        return next((s for s in found if status in ("", s["status"])), None)

    def _is_shipped(self, order_id: int) -> bool:
        return bool(self.call("GET", f"/order/v1/orders/{order_id}")["status"] == "SHIPPED")

    def _sent(self, order_id: int) -> list[str] | None:
        """The subjects of the order's mails, once Notifications has sent them all."""
        items = self.call("GET", "/notifications/v1/notifications", params={"limit": 20})["items"]
        ours = [item for item in items if item["order_id"] == order_id and item["sent_at"]]
        if not {item["type"] for item in ours} >= MAIL_TYPES:
            return None
        return [" ".join(item["subject"].split()) for item in ours]

    def _arrived(self, subjects: list[str]) -> list[Mail] | None:
        mails = fetch_mails(self.shop.target.mailhog)
        there = {mail.subject for mail in mails if mail.recipient == CUSTOMER}
        return mails if there.issuperset(subjects) else None

    def call(self, method: str, path: str, **options: Any) -> Any:
        return self.shop.call(method, path, token=self.customer, **options).json()


def _money(thing: dict[str, Any]) -> str:
    return f"{thing['total_cents'] / 100:.2f} {thing['currency']}"
