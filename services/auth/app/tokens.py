"""Access and refresh tokens as they are handed out."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from libs.security import Principal, create_access_token, decode_token, encode_token

from .config import AuthSettings
from .exceptions import RefreshTokenDead
from .models import RefreshToken, User
from .schemas import TokenPair


def make_pair(settings: AuthSettings, user: User, refresh: RefreshToken) -> TokenPair:
    """A fresh access token, and the one refresh token of this row."""
    principal = Principal(user.id, user.email, "admin" if user.role == "admin" else "customer")
    lifetime = timedelta(seconds=settings.access_token_ttl)
    return TokenPair(
        access_token=create_access_token(settings, principal, lifetime=lifetime),
        refresh_token=_sign(settings, user, refresh),
        expires_in=settings.access_token_ttl,
    )


def read_refresh_token(
    settings: AuthSettings, token: str, *, expired_too: bool = False
) -> tuple[UUID, UUID]:
    """(session id, token id) of a well-signed token. Raises Unauthorized."""
    claims = decode_token(settings, token, kind="refresh", expired_too=expired_too)
    try:
        return UUID(str(claims["family"])), UUID(str(claims["jti"]))
    except (KeyError, ValueError):
        raise RefreshTokenDead("The refresh token is not one of ours.") from None


def new_refresh_token(settings: AuthSettings, session_id: UUID, jti: UUID) -> RefreshToken:
    now = datetime.now(UTC).replace(microsecond=0)  # as precise as a token's claims
    return RefreshToken(
        jti=jti,
        session_id=session_id,
        issued_at=now,
        expires_at=now + timedelta(seconds=settings.refresh_token_ttl),
    )


def _sign(settings: AuthSettings, user: User, refresh: RefreshToken) -> str:
    return encode_token(
        settings,
        {
            "sub": str(user.id),
            "email": user.email,
            "role": user.role,
            "type": "refresh",
            "jti": refresh.jti.hex,
            "family": refresh.session_id.hex,
            "iat": refresh.issued_at,
            "exp": refresh.expires_at,
            "iss": settings.jwt_issuer,
        },
    )
