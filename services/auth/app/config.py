"""What only Auth needs."""

from typing import Annotated

from pydantic import Field

from libs.config import DatabaseSettings, Seconds

Lifetime = Annotated[int, Field(ge=1, le=10**9)]
"""Whole seconds, as in a token's `exp`."""


class AuthSettings(DatabaseSettings):
    access_token_ttl: Lifetime = 3600
    refresh_token_ttl: Lifetime = 30 * 86_400
    refresh_token_grace: Annotated[float, Field(ge=0, le=600)] = 10
    """How long a replaced refresh token still gets its successor, in seconds."""

    password_hash_slots: Annotated[int, Field(ge=1, le=64)] = 2
    """Passwords hashed at once; each takes a core and 19 MiB."""
    password_hash_queue: Annotated[int, Field(ge=0, le=10_000)] = 256
    password_hash_wait: Seconds = 10
