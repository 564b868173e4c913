"""Carts in Redis, one hash a user; its failures become our errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar, cast
from uuid import uuid4

from fastapi import Depends, Request
from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError

from libs.app import ServiceContext
from libs.errors import Problem
from libs.health import Check
from libs.logging import describe_error, fields, get_logger
from libs.types import MAX_QUANTITY

from . import scripts
from .config import CartSettings
from .exceptions import CartFull, CartStoreUnavailable, LineNotFound, OtherCurrency, TooMany
from .models import MAX_LINES, Cart

log = get_logger(__name__)

_HEALTH_CHECK_SECONDS = 20

AnswerT = TypeVar("AnswerT")


class CartStore:
    """Each change is one atomic script. All methods raise CartStoreUnavailable."""

    def __init__(self, redis: Redis, *, ttl: float) -> None:
        self._redis = redis
        self._ttl = max(1, int(ttl))
        self._add = redis.register_script(scripts.ADD)
        self._set_quantity = redis.register_script(scripts.SET_QUANTITY)
        self._remove = redis.register_script(scripts.REMOVE)
        self._checked_out = redis.register_script(scripts.CHECKED_OUT)

    async def ping(self) -> None:
        await self._redis.ping()

    async def get(self, user_id: int) -> Cart:
        stored = await _call(lambda: self._redis.hgetall(_key(user_id)))
        return Cart.of(cast("dict[str, str]", stored))

    async def add(
        self, user_id: int, product_id: int, qty: int, *, currency: str, seen: str | None
    ) -> Cart:
        """Add to what is there. Raises OtherCurrency, CartFull or TooMany.

        `seen` is the cart's currency as the caller read it and found `currency` to fit; any
        other one that is there by now does not.
        """
        args = (product_id, qty, currency, seen or "", uuid4().hex, MAX_QUANTITY, MAX_LINES)
        return await self._run(self._add, user_id, *args, repeatable=False)

    async def set_quantity(self, user_id: int, product_id: int, qty: int) -> Cart:
        """Raises LineNotFound."""
        return await self._run(self._set_quantity, user_id, product_id, qty)

    async def remove(self, user_id: int, product_id: int) -> Cart:
        return await self._run(self._remove, user_id, product_id)

    async def clear(self, user_id: int) -> None:
        await _call(lambda: self._redis.delete(_key(user_id)))

    async def check_out(self, user_id: int, token: str, bought: Mapping[int, int]) -> Cart:
        """Take out what was bought and renew the token; another token changes nothing."""
        args = [value for line in bought.items() for value in line]
        return await self._run(self._checked_out, user_id, token, uuid4().hex, *args)

    async def _run(
        self, script: Any, user_id: int, *args: str | int, repeatable: bool = True
    ) -> Cart:
        def run() -> Awaitable[Any]:
            return cast("Awaitable[Any]", script(keys=[_key(user_id)], args=[self._ttl, *args]))

        answer = await _call(run, repeatable=repeatable)
        if isinstance(answer, str):
            refusal, detail = _REFUSALS[answer]
            raise refusal(detail)
        return Cart.of(dict(zip(answer[::2], answer[1::2], strict=True)))


_REFUSALS: dict[str, tuple[type[Problem], str]] = {
    "currency": (OtherCurrency, "Your cart holds products in another currency; empty it first."),
    "full": (CartFull, f"A cart holds {MAX_LINES} different products at most."),
    "quantity": (TooMany, f"A cart holds {MAX_QUANTITY} of one product at most."),
    "missing": (LineNotFound, "This product is not in your cart."),
}


def _key(user_id: int) -> str:
    return f"cart:{user_id}"


async def _call(run: Callable[[], Awaitable[AnswerT]], *, repeatable: bool = True) -> AnswerT:
    """Redis' answer. A lost connection is tried again once, when that can't count twice."""
    try:
        try:
            return await run()
        except ConnectionLost:
            if not repeatable:
                raise
            return await run()
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("cart store unavailable", extra=fields(error=describe_error(error)))
        raise CartStoreUnavailable(
            "The cart store (Redis) can't be reached; try again shortly."
        ) from error


@asynccontextmanager
async def cart_store(context: ServiceContext[CartSettings]) -> AsyncIterator[None]:
    """Opens the store for the service's life; Redis may be away and come later."""
    redis = Redis.from_pool(make_pool(context.settings))
    store = CartStore(redis, ttl=context.settings.cart_ttl)
    context.app.state.carts = store
    context.checks.append(Check("redis", store.ping))
    try:
        yield
    finally:
        async with asyncio.timeout(2):
            await redis.aclose()


class StoreConnection(Connection):
    """Whose server has just hung up: uvloop's transport raises RuntimeError when written to then,
    and redis-py takes only an OSError for a lost connection."""

    async def _send_packed_command(self, command: Iterable[bytes]) -> None:
        if self._writer is not None and self._writer.is_closing():
            raise ConnectionResetError("the server hung up")
        await super()._send_packed_command(command)


def make_pool(settings: CartSettings) -> BlockingConnectionPool:
    """Retries nothing by itself, since it can't know what may be repeated.

    A connection that was closed while idle is noticed when it is taken from the pool, which
    redis-py does not do with the notifications that come with protocol 3.
    """
    options: dict[str, Any] = {
        "connection_class": StoreConnection,  # unless the URL is one for TLS or a Unix socket
        **parse_url(settings.redis_url),
        "max_connections": settings.redis_pool_size,
        "timeout": settings.redis_timeout,
        "socket_timeout": settings.redis_timeout,
        "socket_connect_timeout": settings.redis_timeout,
        "health_check_interval": _HEALTH_CHECK_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": True,
        "protocol": 2,
        "client_name": "cart",
    }
    return BlockingConnectionPool(**options)


async def _get_store(request: Request) -> CartStore:
    store: CartStore = request.app.state.carts
    return store


CartStoreDep = Annotated[CartStore, Depends(_get_store)]
