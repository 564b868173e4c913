"""Settings: a wrong one is one line that names it, exit code 2."""

import os
import subprocess
import sys
from importlib import import_module
from typing import Any

import httpx
import pytest

from libs.config import load_settings
from tests.support.database import Query
from tests.support.databases import alembic, create_database
from tests.support.forks import ROOT
from tests.support.processes import ServiceProcess, free_port
from tests.support.waiting import eventually

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


def test_a_service_with_a_wrong_setting_ends_with_one_line_and_code_2() -> None:
    done = _start(POSTGRES_DSN="postgresql+psycopg://u:secret-word@db:port/x")
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "POSTGRES_DSN" in done.stderr
    assert "secret-word" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("service", "name", "value"),
    [
        ("payment", "POSTGRES_DSN", "mysql://x/y"),
        ("payment", "POSTGRES_DSN", "postgresql+psycopg://u:secret-word@db:port/x"),
        ("payment", "ORDER_BASE", "order:8000"),
        ("payment", "KAFKA_FETCH_MAX_WAIT_MS", "soon"),
        ("payment", "KAFKA_FETCH_MAX_WAIT_MS", "10000"),
        ("payment", "LOG_LEVEL", "LOUD"),
        ("payment", "JWT_ALGORITHM", "none"),
        ("order", "ORDER_PAYMENT_TTL", "-1"),
        ("order", "INBOX_RETENTION", "60"),
        ("order", "OUTBOX_RETENTION", "864000"),
        ("cart", "REDIS_URL", "redis"),
        ("catalog", "S3_ENDPOINT", "minio"),
        ("notifications", "SMTP_PORT", "0"),
        ("auth", "ACCESS_TOKEN_TTL", "0"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    service: str,
    name: str,
    value: str,
) -> None:
    said = _refusal(monkeypatch, capsys, service, {name: value})
    assert name in said
    assert "secret-word" not in said


@pytest.mark.parametrize("own", [{}, {"JWT_SECRET": "x" * 40}, {"SVC_INTERNAL_KEY": "y" * 40}])
def test_production_refuses_the_default_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own: dict[str, str]
) -> None:
    said = _refusal(monkeypatch, capsys, "payment", {"APP_ENV": "production", **own})
    for name in SECRETS:
        assert (name in said) is (name not in own)


def test_production_starts_with_secrets_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"APP_ENV": "production", **SECRETS}.items():
        monkeypatch.setenv(name, value)
    assert load_settings(_settings_class("payment")).app_env == "production"


def _refusal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    service: str,
    env: dict[str, str],
) -> str:
    """The one line that a service with this environment ends with."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as end:
        load_settings(_settings_class(service))
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1, said
    return said


def _settings_class(service: str) -> Any:
    config = import_module(f"services.{service}.app.config")
    return getattr(config, f"{service.capitalize()}Settings")


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
    code, said = await alembic(own, "payment", "upgrade", "head")
    assert code == 0, said
    async with ServiceProcess("payment", stack["env"], POSTGRES_DSN=own) as copy:

        async def relay_leads() -> bool:
            async with httpx.AsyncClient() as client:
                health = (await client.get(f"{copy.url}/health")).json()
            assert health["checks"]["database"] == "ok"
            return bool(health["loops"]["relay"].get("role") == "leader")

        await eventually(relay_leads)
