"""The public API, as `/cart/...` through the gateway; each customer has one cart."""

from libs.routing import service_router
from libs.security import Customer
from libs.types import PathId

from . import service
from .clients import CatalogClientDep
from .schemas import CartRead, ItemAdd, QuantityUpdate
from .store import CartStoreDep

router = service_router(prefix="/v1/cart", tags=["cart"])


@router.get("")
async def get_cart(customer: Customer, carts: CartStoreDep, catalog: CatalogClientDep) -> CartRead:
    """The cart, at Catalog's current prices."""
    return await service.get_cart(carts, catalog, user_id=customer.user_id)


@router.delete("")
async def clear_cart(customer: Customer, carts: CartStoreDep) -> CartRead:
    """Empty the cart."""
    return await service.clear_cart(carts, user_id=customer.user_id)


@router.post("/items", status_code=201)
async def add_item(
    item: ItemAdd, customer: Customer, carts: CartStoreDep, catalog: CatalogClientDep
) -> CartRead:
    """Add to what is there of this product."""
    return await service.add_item(
        carts, catalog, user_id=customer.user_id, product_id=item.product_id, qty=item.qty
    )


@router.patch("/items/{product_id}")
async def set_quantity(
    product_id: PathId,
    change: QuantityUpdate,
    customer: Customer,
    carts: CartStoreDep,
    catalog: CatalogClientDep,
) -> CartRead:
    """Set the quantity of a product that is in the cart."""
    return await service.set_quantity(
        carts, catalog, user_id=customer.user_id, product_id=product_id, qty=change.qty
    )


@router.delete("/items/{product_id}")
async def remove_item(
    product_id: PathId, customer: Customer, carts: CartStoreDep, catalog: CatalogClientDep
) -> CartRead:
    """Take a product out; the cart as it is when it was not there."""
    return await service.remove_item(
        carts, catalog, user_id=customer.user_id, product_id=product_id
    )
