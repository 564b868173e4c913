"""Why Order refuses."""

from libs.errors import Conflict, NotFound, Unavailable


class OrderNotFound(NotFound):
    code = "order_not_found"


class OrderNotCancellable(Conflict):
    code = "order_not_cancellable"


class OrderIsPaid(Conflict):
    code = "order_is_paid"


class CartEmpty(Conflict):
    code = "cart_empty"


class GoodsUnavailable(Conflict):
    """Catalog would not reserve; its own words and code are passed on."""

    def __init__(self, detail: str, code: str, **extra: object) -> None:
        super().__init__(detail, **extra)
        self.code = code


class MixedCurrencies(Conflict):
    code = "mixed_currencies"


class CheckoutExpired(Unavailable):
    """The reservation was given back while the checkout was under way; nothing was ordered."""

    code = "checkout_expired"


class CartAlreadyCheckedOut(Conflict):
    """The cart's token belongs to an order that is there already."""

    code = "cart_already_checked_out"

    def __init__(self, order_id: int) -> None:
        super().__init__(f"This cart was checked out as order {order_id}.")
        self.order_id = order_id
