"""Checkout: from a cart to an order with its goods reserved. See DESIGN's steps 1 to 5.

Each step can be repeated, and a crash between two leaves what another loop finishes: a
reservation without an order is given back by Catalog's sweeper, a missing draft comes with
`order.created`, a cart that was not emptied is emptied by the next checkout.
"""

import asyncio
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from libs.db import Database
from libs.errors import Conflict
from libs.http import DependencyUnavailable
from libs.idempotency import KeyTaken, RequestKey, answer_once, claim_key, keep_answer
from libs.logging import fields, get_logger
from libs.security import Principal

from . import service
from .clients import CartContent, CartLine, Clients, Reservation
from .exceptions import (
    CartAlreadyCheckedOut,
    CartEmpty,
    CheckoutExpired,
    GoodsUnavailable,
    MixedCurrencies,
)
from .models import IdempotencyKey, Order, OrderStatus
from .schemas import CheckoutRead, OrderItemRead, ShippingAddress

log = get_logger(__name__)

_ATTEMPTS = 3


class Checkout:
    """One customer's checkout, with everything that it needs at hand."""

    def __init__(
        self,
        database: Database,
        clients: Clients,
        customer: Principal,
        address: ShippingAddress,
        request: RequestKey | None,
    ) -> None:
        self._database = database
        self._clients = clients
        self._customer = customer
        self._address = address
        self._request = request

    async def run(self) -> CheckoutRead:
        """Raises CartEmpty, GoodsUnavailable, MixedCurrencies, CheckoutExpired, or
        DependencyUnavailable when Cart or Catalog gives no answer."""
        return await answer_once(
            self._database, IdempotencyKey, self._request, self._check_out, CheckoutRead
        )

    async def _check_out(self) -> CheckoutRead:
        """A cart that has its order already is emptied of it; what remains is checked out anew,
        and if nothing remains, that order is the answer. A cancelled order takes nothing out."""
        before: CheckoutRead | None = None
        cart = await self._clients.cart.get_cart(self._customer.user_id)
        for _ in range(_ATTEMPTS):
            if cart.checkout_token is None or not cart.items:
                return await self._answer_with(before)
            try:
                return await self._buy(cart, cart.checkout_token)
            except CartAlreadyCheckedOut as used:
                earlier, cart = await self._finish_earlier(cart.checkout_token, used.order_id)
                before = earlier or before
            except CheckoutExpired:
                log.info("reservation was given back during the checkout, reserving again")
        if cart.items:
            raise CheckoutExpired("The checkout took too long; check out again.")
        return await self._answer_with(before)

    async def _answer_with(self, before: CheckoutRead | None) -> CheckoutRead:
        """An earlier order's answer, kept under this request's key too."""
        if before is None:
            raise CartEmpty("The cart is empty; add something to it first.")
        async with self._database.transaction() as transaction:
            await claim_key(transaction, IdempotencyKey, self._request)
            await keep_answer(transaction, IdempotencyKey, self._request, before)
        return before

    async def _buy(self, cart: CartContent, token: str) -> CheckoutRead:
        reservation = await self._reserve(cart, token)
        try:
            order, answer = await self._place(reservation, token)
        except (CartAlreadyCheckedOut, CheckoutExpired, KeyTaken, MixedCurrencies):
            await self._give_back(reservation.reservation_id)
            raise
        await self._follow_up(order, token, cart.items)
        return answer

    async def _reserve(self, cart: CartContent, token: str) -> Reservation:
        try:
            return await self._clients.catalog.reserve(token, cart.items)
        except GoodsUnavailable:
            # The last ones may be held by this very cart's order.
            async with self._database.autocommit() as reader:
                before = await service.find_order_by_token(reader, token)
            if before is not None:
                raise CartAlreadyCheckedOut(before) from None
            raise

    async def _place(self, reservation: Reservation, token: str) -> tuple[Order, CheckoutRead]:
        currencies = {line.currency for line in reservation.items}
        if len(currencies) != 1:
            raise MixedCurrencies("The cart's products have more than one currency by now.")
        purchase = service.Purchase(
            self._customer, self._address, token, reservation, currencies.pop()
        )
        async with self._database.transaction() as transaction:
            await claim_key(transaction, IdempotencyKey, self._request)
            order = await service.place_order(transaction, purchase)
            items = [
                OrderItemRead.model_validate(line, from_attributes=True)
                for line in reservation.items
            ]
            answer = _answer(order, items)
            await keep_answer(transaction, IdempotencyKey, self._request, answer)
        return order, answer

    async def _follow_up(self, order: Order, token: str, bought: list[CartLine]) -> None:
        """The draft and the emptied cart: both are made up for later when they fail now."""
        results = await asyncio.gather(
            self._clients.shipping.draft(order),
            self._clients.cart.take_out(self._customer.user_id, token, bought),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                log.warning(
                    "a checkout's follow-up will be made up for later",
                    extra=fields(order_id=order.id, reason=type(result).__name__),
                )

    async def _finish_earlier(
        self, token: str, order_id: int
    ) -> tuple[CheckoutRead | None, CartContent]:
        """(An earlier order's answer, the cart without what it bought.) None when that order was
        cancelled: the cart still shows its goods, and now holds them under a new token."""
        async with self._database.session() as session:
            order = await service.get_order(session, order_id, self._customer)
        cancelled = order.status == OrderStatus.CANCELLED
        items = [OrderItemRead.model_validate(item) for item in order.items]
        bought = [CartLine(product_id=item.product_id, qty=item.qty) for item in items]
        cart = await self._clients.cart.take_out(
            self._customer.user_id, token, [] if cancelled else bought
        )
        return None if cancelled else _answer(order, items), cart

    async def _give_back(self, reservation_id: UUID) -> None:
        """Release what no order will use; when this fails, Catalog's sweeper does it."""
        try:
            async with self._database.autocommit() as statements:
                order_id = await service.claim_reservation(statements, reservation_id)
            if order_id is None:
                await self._clients.catalog.release(reservation_id)
        except (DependencyUnavailable, Conflict, SQLAlchemyError, TimeoutError):
            log.warning("reservation left to the sweeper")


def _answer(order: Order, items: list[OrderItemRead]) -> CheckoutRead:
    return CheckoutRead(
        order_id=order.id,
        status=order.status,
        total_cents=order.total_cents,
        currency=order.currency,
        items=items,
    )
