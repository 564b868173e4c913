"""Who is calling: access tokens, principals, roles, and the key of internal calls."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal
from uuid import uuid4

import jwt
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer

from .config import ServiceSettings
from .errors import Forbidden, Unauthorized

Role = Literal["customer", "admin"]

_REQUIRED_CLAIMS = ["sub", "email", "role", "type", "jti", "iat", "exp", "iss"]

_bearer = OAuth2PasswordBearer(tokenUrl="/auth/token", auto_error=False)
_internal_key = APIKeyHeader(name="X-Internal-Key", auto_error=False)


@dataclass(frozen=True, slots=True)
class Principal:
    user_id: int
    email: str
    role: Role

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def encode_token(settings: ServiceSettings, claims: dict[str, Any]) -> str:
    """Sign claims with our one secret and algorithm; the same claims give the same token."""
    return jwt.encode(
        claims, settings.jwt_secret.get_secret_value(), algorithm=settings.jwt_algorithm
    )


def decode_token(
    settings: ServiceSettings, token: str, *, kind: str, expired_too: bool = False
) -> dict[str, Any]:
    """The claims of a token of this kind (`access`, `refresh`). Raises Unauthorized."""
    secret = settings.jwt_secret.get_secret_value()
    try:
        claims = _verify(token, secret, settings.jwt_algorithm, settings.jwt_issuer)
        expired = int(claims["exp"]) <= time.time()
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise Unauthorized(f"The {kind} token is not valid or has expired.") from None
    if expired and not expired_too:
        raise Unauthorized(f"The {kind} token is not valid or has expired.")
    if claims["type"] != kind:
        raise Unauthorized(f"This token is not of the kind that is needed here: {kind}.")
    return dict(claims)


@lru_cache(maxsize=1024)
def _verify(token: str, secret: str, algorithm: str, issuer: str) -> Mapping[str, Any]:
    """The claims of a token with our signature, expired or not.

    Kept, since a customer sends the same one many times; a refusal is an error and is not kept.
    """
    claims: dict[str, Any] = jwt.decode(
        token,
        secret,
        algorithms=[algorithm],
        issuer=issuer,
        options={
            "require": _REQUIRED_CLAIMS,
            "verify_exp": False,
            # Else a service whose clock is a second behind Auth's refuses a fresh token.
            "verify_iat": False,
        },
    )
    return claims


def create_access_token(
    settings: ServiceSettings, principal: Principal, *, lifetime: timedelta
) -> str:
    now = datetime.now(UTC)
    return encode_token(
        settings,
        {
            "sub": str(principal.user_id),
            "email": principal.email,
            "role": principal.role,
            "type": "access",
            "jti": uuid4().hex,
            "iat": now,
            "exp": now + lifetime,
            "iss": settings.jwt_issuer,
        },
    )


def principal_of(request: Request) -> Principal:
    """Who sent the request. Raises Unauthorized without a valid access token."""
    known: Principal | None = getattr(request.state, "principal", None)
    if known is not None:
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("A bearer token is needed: log in at /auth/login.")
    claims = decode_token(request.app.state.settings, token.strip(), kind="access")
    principal = _principal(claims)
    request.state.principal = principal
    return principal


def _principal(claims: dict[str, Any]) -> Principal:
    role, subject = claims["role"], str(claims["sub"])
    if role not in ("customer", "admin") or not subject.isascii() or not subject.isdigit():
        raise Unauthorized("The access token is not one of ours.")
    return Principal(int(subject), str(claims["email"]), role)


def has_internal_key(request: Request) -> bool:
    """True when the request carries the key of internal calls (compared in constant time)."""
    expected: str = request.app.state.settings.svc_internal_key.get_secret_value()
    given = request.headers.get("x-internal-key", "")
    return secrets.compare_digest(given.encode(), expected.encode())


class UserGuard:
    """Lets in users of one role (None: of any), and is checked before the body is read."""

    def __init__(self, role: Role | None = None) -> None:
        self.role = role

    def check(self, request: Request) -> Principal:
        principal = principal_of(request)
        if self.role is not None and principal.role != self.role:
            raise Forbidden(f"Only a user with the role {self.role!r} may do this.")
        return principal

    async def __call__(
        self, request: Request, _token: Annotated[str | None, Security(_bearer)] = None
    ) -> Principal:
        return self.check(request)


class InternalKeyGuard:
    """Lets in callers that know the internal key, and is checked before the body is read."""

    def check(self, request: Request) -> None:
        if not has_internal_key(request):
            raise Forbidden("A valid X-Internal-Key header is needed.")

    async def __call__(
        self, request: Request, _key: Annotated[str | None, Security(_internal_key)] = None
    ) -> None:
        self.check(request)


User = Annotated[Principal, Depends(UserGuard())]
Customer = Annotated[Principal, Depends(UserGuard("customer"))]
Admin = Annotated[Principal, Depends(UserGuard("admin"))]
InternalKey = Depends(InternalKeyGuard())
"""For `dependencies=[InternalKey]` of a route or a router."""
