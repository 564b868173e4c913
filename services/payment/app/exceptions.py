"""Why a payment is refused."""

from libs.errors import Conflict, NotFound


class OrderNotFound(NotFound):
    code = "order_not_found"


class OrderAlreadyPaid(Conflict):
    code = "order_already_paid"


class OrderIsCancelled(Conflict):
    code = "order_cancelled"


class AmountMismatch(Conflict):
    code = "amount_mismatch"
