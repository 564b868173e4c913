"""What only Cart needs."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from redis.asyncio import ConnectionPool

from libs.config import BaseUrl, Seconds, ServiceSettings


def _redis_url(url: str) -> str:
    """redis-py looks at some of it with the first request only, and passes over a bad database."""
    try:
        pool = ConnectionPool.from_url(url)
        pool.connection_class(**pool.connection_kwargs)
        parts = urlsplit(url)
    except Exception:  # its own message may repeat the password
        raise ValueError("is not a Redis URL; percent-encode odd characters in it") from None
    if parts.scheme != "unix" and not (parts.hostname and re.fullmatch(r"/?\d*", parts.path)):
        raise ValueError("must look like redis://host:6379/0")
    return url


class CartSettings(ServiceSettings):
    redis_url: Annotated[str, AfterValidator(_redis_url)] = "redis://redis:6379/0"
    redis_pool_size: Annotated[int, Field(ge=1, le=1000)] = 32
    redis_timeout: Annotated[float, Field(gt=0, le=2)] = 1.5
    """Of one command, of connecting, and of waiting for a free connection."""
    cart_ttl: Seconds = 30 * 86_400
    """A cart that has not changed for so long is forgotten."""
    catalog_base: BaseUrl = "http://catalog:8000"
