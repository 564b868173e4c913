"""Settings: a wrong one is one line that names it, exit code 2."""

import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.database import Query
from tests.support.databases import alembic, create_database
from tests.support.processes import ROOT, free_port

SECRETS = {"JWT_SECRET": "x" * 40, "SVC_INTERNAL_KEY": "y" * 40}


def _start(service: str = "payment", **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(free_port())],
        cwd=ROOT / "services" / service,
        env={**os.environ, **changes},
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.mark.parametrize(
    ("service", "name", "value"),
    [
        ("payment", "POSTGRES_DSN", "mysql://x/y"),
        ("payment", "POSTGRES_DSN", "postgresql+psycopg://u:secret-word@db:port/x"),
        ("payment", "ORDER_BASE", "order:8000"),
        ("payment", "KAFKA_FETCH_MAX_WAIT_MS", "soon"),
        ("payment", "LOG_LEVEL", "LOUD"),
        ("payment", "JWT_ALGORITHM", "none"),
        ("order", "ORDER_PAYMENT_TTL", "-1"),
        ("order", "INBOX_RETENTION", "60"),
        ("cart", "REDIS_URL", "redis"),
        ("catalog", "S3_ENDPOINT", "minio"),
        ("notifications", "SMTP_PORT", "0"),
        ("auth", "ACCESS_TOKEN_TTL", "0"),
    ],
)
def test_a_wrong_setting_is_one_line(service: str, name: str, value: str) -> None:
    done = _start(service, **{name: value})
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert name in lines[0]
    assert "secret-word" not in done.stderr


@pytest.mark.parametrize("own", [{}, {"JWT_SECRET": "x" * 40}, {"SVC_INTERNAL_KEY": "y" * 40}])
def test_production_refuses_the_default_secrets(own: dict[str, str]) -> None:
    done = _start(APP_ENV="production", **own)
    assert done.returncode == 2
    for name in SECRETS:
        assert (name in done.stderr) is (name not in own)


async def test_odd_characters_in_the_password_are_percent_encoded(
    stack: dict[str, Any], query: Query
) -> None:
    dsn = await create_database(stack, query)
    database = dsn.rpartition("/")[2]
    role = f"odd_{database}"
    await query(f"CREATE ROLE {role} LOGIN PASSWORD 'p@ss:w/rd%#1'")
    await query(f"GRANT ALL ON DATABASE {database} TO {role}")
    own = dsn.replace("postgres:postgres@", f"{role}:p%40ss%3Aw%2Frd%25%231@")
    assert own != dsn
    code, said = await alembic(own, "order", "upgrade", "head")
    assert code == 0, said
