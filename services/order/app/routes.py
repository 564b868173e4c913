"""The public API, as `/order/...` through the gateway."""

from typing import Annotated

from fastapi import Query

from libs.db import DatabaseDep, SessionDep
from libs.idempotency import KeyHeader, RequestKey
from libs.pagination import Page, Paging
from libs.routing import service_router
from libs.security import Customer, User
from libs.types import PathId

from . import cancellation, service
from .checkout import Checkout
from .clients import ClientsDep
from .models import OrderStatus
from .schemas import CheckoutRead, OrderRead, ShippingAddress

router = service_router(prefix="/v1/orders", tags=["orders"])


@router.post("/checkout", status_code=201)
async def checkout(
    address: ShippingAddress,
    customer: Customer,
    database: DatabaseDep,
    clients: ClientsDep,
    key: KeyHeader,
) -> CheckoutRead:
    """Order what is in the cart: reserves the goods and creates the shipment draft."""
    request = RequestKey.of(key, user_id=customer.user_id, route="checkout", body=address)
    return await Checkout(database, clients, customer, address, request).run()


@router.get("")
async def list_orders(
    viewer: User,
    session: SessionDep,
    page: Paging,
    status: Annotated[OrderStatus | None, Query()] = None,
) -> Page[OrderRead]:
    """One's own orders (an admin: all), newest first."""
    orders, total = await service.list_orders(session, viewer, page, status=status)
    items = [OrderRead.model_validate(order) for order in orders]
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


@router.get("/{order_id}")
async def get_order(order_id: PathId, viewer: User, session: SessionDep) -> OrderRead:
    return OrderRead.model_validate(await service.get_order(session, order_id, viewer))


@router.post("/{order_id}/cancel")
async def cancel_order(
    order_id: PathId, viewer: User, database: DatabaseDep, clients: ClientsDep, key: KeyHeader
) -> OrderRead:
    """Cancel an order that has not been sent; what was paid is refunded."""
    request = RequestKey.of(key, user_id=viewer.user_id, route=f"cancel {order_id}")
    return await cancellation.cancel(database, clients.shipping, order_id, viewer, request)
