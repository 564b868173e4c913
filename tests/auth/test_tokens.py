"""Access tokens, as each service takes or refuses them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from libs.config import ServiceSettings
from libs.security import encode_token
from tests.auth.doors import Json


def _forged(stack: Json, **changes: Any) -> str:
    now = datetime.now(UTC)
    claims = {
        "sub": "1",
        "email": "eve@example.com",
        "role": "admin",
        "type": "access",
        "jti": "x",
        "iat": now,
        "exp": now + timedelta(hours=1),
        "iss": "auth",
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return encode_token(ServiceSettings(JWT_SECRET=stack["env"]["JWT_SECRET"]), claims)


@pytest.mark.filterwarnings("ignore:The HMAC key")
async def test_only_tokens_of_ours_open_a_door(api: httpx.AsyncClient, stack: Json) -> None:
    past = datetime.now(UTC) - timedelta(seconds=5)
    unsigned = jwt.encode({"sub": "1", "role": "admin", "type": "access"}, None, algorithm="none")
    other = jwt.encode({"sub": "1", "role": "admin", "type": "access"}, "other", algorithm="HS256")
    bad = [
        unsigned,
        other,
        _forged(stack, exp=past),
        _forged(stack, type="refresh"),
        _forged(stack, iss="someone"),
        _forged(stack, role="root"),
        _forged(stack, sub="x"),
        _forged(stack, jti=None),
        _forged(stack, email=None),
        "a.b.c",
    ]
    for token in bad:
        for path in ("/auth/me", "/order/v1/orders", "/cart/v1/cart"):
            answer = await api.get(path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, (path, token)
            assert answer.headers["www-authenticate"] == "Bearer"
    for header in ("Basic x", "Bearer", "bearer  "):
        answer = await api.get("/order/v1/orders", headers={"Authorization": header.strip()})
        assert answer.status_code == 401
    good = {"Authorization": f"bearer {_forged(stack)}"}
    assert (await api.get("/order/v1/orders", headers=good)).status_code == 200
