"""The public API, as `/payment/...` through the gateway."""

from typing import Annotated

from fastapi import Query

from libs.db import DatabaseDep, SessionDep
from libs.idempotency import KeyHeader, RequestKey
from libs.pagination import Limit
from libs.routing import service_router
from libs.security import User
from libs.types import PathId

from . import service
from .clients import OrderClientDep
from .models import PaymentStatus
from .schemas import PaymentCreate, PaymentRead

router = service_router(prefix="/v1/payments", tags=["payments"])


@router.post("/mock-succeed", status_code=201)
async def mock_succeed(
    wanted: PaymentCreate,
    payer: User,
    database: DatabaseDep,
    orders: OrderClientDep,
    key: KeyHeader,
) -> PaymentRead:
    """Pay for an order, at its price."""
    request = RequestKey.of(key, user_id=payer.user_id, route="mock-succeed", body=wanted)
    return await service.pay(
        database, orders, wanted, payer=payer, status=PaymentStatus.SUCCEEDED, request=request
    )


@router.post("/mock-fail", status_code=201)
async def mock_fail(
    wanted: PaymentCreate,
    payer: User,
    database: DatabaseDep,
    orders: OrderClientDep,
    key: KeyHeader,
) -> PaymentRead:
    """Try to pay for an order, and fail; it can still be paid afterwards."""
    request = RequestKey.of(key, user_id=payer.user_id, route="mock-fail", body=wanted)
    return await service.pay(
        database, orders, wanted, payer=payer, status=PaymentStatus.FAILED, request=request
    )


@router.get("")
async def list_payments(
    viewer: User,
    session: SessionDep,
    order_id: Annotated[PathId | None, Query()] = None,
    limit: Limit = 20,
) -> list[PaymentRead]:
    """One's own payments (an admin: all), newest first."""
    payments = await service.list_payments(session, viewer, order_id=order_id, limit=limit)
    return [PaymentRead.model_validate(payment) for payment in payments]
