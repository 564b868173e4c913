"""Why a change of a cart is refused."""

from libs.errors import Conflict, NotFound, Unavailable


class ProductNotFound(NotFound):
    code = "product_not_found"


class LineNotFound(NotFound):
    code = "line_not_found"


class OtherCurrency(Conflict):
    code = "other_currency"


class CartFull(Conflict):
    code = "cart_full"


class TooMany(Conflict):
    code = "quantity_limit"


class CartStoreUnavailable(Unavailable):
    code = "cart_store_unavailable"
