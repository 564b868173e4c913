"""Why Catalog refuses."""

from libs.errors import Conflict, NotFound, Unavailable, UnsupportedMediaType


class CategoryNotFound(NotFound):
    code = "category_not_found"


class CategoryTaken(Conflict):
    code = "category_taken"


class ProductNotFound(NotFound):
    code = "product_not_found"


class SkuTaken(Conflict):
    code = "sku_taken"


class StockLimitReached(Conflict):
    code = "stock_limit"


class InsufficientStock(Conflict):
    code = "insufficient_stock"


class ProductWithdrawn(Conflict):
    code = "product_withdrawn"


class ReservationNotFound(NotFound):
    code = "reservation_not_found"


class ReservationClosed(Conflict):
    code = "reservation_closed"


class ReservationOfAnotherOrder(Conflict):
    code = "reservation_of_another_order"


class NotAnImage(UnsupportedMediaType):
    code = "not_an_image"


class ImageNotFound(NotFound):
    code = "image_not_found"


class ImageStoreUnavailable(Unavailable):
    code = "image_store_unavailable"
