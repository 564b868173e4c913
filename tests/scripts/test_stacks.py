from pathlib import Path

import pytest

from scripts import stacks
from scripts.console import ScriptError


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "postgresql+psycopg://postgres:postgres@localhost:5432/appdb"),
        (
            {"POSTGRES_DSN": "postgresql+psycopg://a:b@postgres:5432/x", "POSTGRES_PORT": "6543"},
            "postgresql+psycopg://a:b@localhost:6543/x",
        ),
        (
            {"POSTGRES_DSN": "postgresql+psycopg://a:b@db.x.com:1/x", "POSTGRES_PORT": "6543"},
            "postgresql+psycopg://a:b@db.x.com:1/x",
        ),
        (
            {"POSTGRES_DSN": "postgresql+psycopg://a:p%40ss%3Aw%2Frd%25%231@postgres/postgres"},
            "postgresql+psycopg://a:p%40ss%3Aw%2Frd%25%231@localhost/postgres",
        ),
    ],
)
def test_only_the_host_of_docker_is_rewritten(settings: dict[str, str], expected: str) -> None:
    assert stacks.host_dsn(settings) == expected


def test_a_dsn_that_is_none_is_not_repeated() -> None:
    with pytest.raises(ScriptError, match="POSTGRES_DSN") as raised:
        stacks.host_dsn({"POSTGRES_DSN": "sec//ret"})
    assert "sec//ret" not in str(raised.value)


def test_the_environment_file_may_come_from_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xef\xbb\xbfPOSTGRES_DSN=x\r\n# note\r\nSVC_INTERNAL_KEY=from-file\r\n")
    monkeypatch.setattr(stacks, "ENV_FILE", file)
    monkeypatch.delenv("POSTGRES_DSN", raising=False)
    monkeypatch.setenv("SVC_INTERNAL_KEY", "from-environment")
    settings = stacks.environment()
    assert settings["POSTGRES_DSN"] == "x"
    assert settings["SVC_INTERNAL_KEY"] == "from-environment"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "localhost:9092"),
        ({"KAFKA_BOOTSTRAP": "kafka:9092", "KAFKA_PORT": "19092"}, "localhost:19092"),
        ({"KAFKA_BOOTSTRAP": "broker.x.com:1", "KAFKA_PORT": "19092"}, "broker.x.com:1"),
    ],
)
def test_kafka_is_reached_from_outside_of_docker(settings: dict[str, str], expected: str) -> None:
    assert stacks.host_kafka(settings) == expected
