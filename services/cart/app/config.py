"""What only Cart needs."""

from typing import Annotated

from pydantic import AfterValidator, Field

from libs.config import BaseUrl, Seconds, ServiceSettings


def _redis_url(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
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
