"""Settings of a service, read from the environment (the variables of `deploy/.env.example`)."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

DEFAULT_SECRETS = {"jwt_secret": "devsecret", "svc_internal_key": "devkey"}


def _postgres_dsn(dsn: str) -> str:
    from sqlalchemy.engine import make_url  # 20 MB that Cart does not need

    try:
        url = make_url(dsn)
    except Exception:  # SQLAlchemy's own message would repeat the password
        raise ValueError("is not a database URL; percent-encode odd characters in it") from None
    if url.drivername != "postgresql+psycopg" or not (url.host or _socket_folder(url)):
        raise ValueError("must look like postgresql+psycopg://user:password@host:5432/database")
    return dsn


def _socket_folder(url: "URL") -> bool:
    """Whether it names the folder of a Unix socket, as in `postgresql+psycopg://…/db?host=/run`."""
    host = url.query.get("host")
    return isinstance(host, str) and host.startswith("/")


def _base_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return url.rstrip("/")


def _header_value(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise ValueError("must be printable ASCII without spaces around it: it is sent in a header")
    return secret


PostgresDsn = Annotated[str, AfterValidator(_postgres_dsn)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Seconds = Annotated[float, Field(gt=0, le=10**9)]


class ServiceSettings(BaseSettings):
    """What every service reads; each service adds its own in `app/config.py`."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    app_env: str = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "text"] = "auto"
    service_version: str = "1.0.0"
    shutdown_timeout: Seconds = 8

    jwt_secret: SecretStr = SecretStr("devsecret")
    jwt_algorithm: Literal["HS256"] = "HS256"
    jwt_issuer: str = "auth"
    svc_internal_key: Annotated[SecretStr, AfterValidator(_header_value)] = SecretStr("devkey")

    http_timeout: Seconds = 5

    @model_validator(mode="after")
    def _refuse_default_secrets_in_production(self) -> Self:
        if self.app_env == "production" and (names := self.default_secrets()):
            raise ValueError(
                f"{', '.join(names)}: the default is for development; "
                "set a secret of your own with APP_ENV=production"
            )
        return self

    def default_secrets(self) -> list[str]:
        """The variables that still hold the secret everybody knows."""
        return [
            field.upper()
            for field, default in DEFAULT_SECRETS.items()
            if getattr(self, field).get_secret_value() == default
        ]


class DatabaseSettings(ServiceSettings):
    """What a service with tables, and so with events, reads beside that."""

    postgres_dsn: PostgresDsn = "postgresql+psycopg://postgres:postgres@postgres:5432/appdb"
    database_pool_size: Annotated[int, Field(ge=1, le=100)] = 8
    """Connections of a process; 1 makes two, since SQLAlchemy has a quarter, at least one."""
    database_pool_timeout: Seconds = 5
    database_statement_timeout: Seconds = 10
    transaction_timeout: Seconds = 20

    kafka_bootstrap: str = Field(
        "kafka:9092", validation_alias=AliasChoices("KAFKA_BOOTSTRAP", "KAFKA_BROKERS")
    )
    kafka_fetch_max_wait_ms: Annotated[int, Field(ge=1, le=5_000)] = 500
    """Well below the 10 s after which a request without an answer ends its connection."""
    kafka_session_timeout_ms: Annotated[int, Field(ge=1000, le=300_000)] = 6_000
    """What a replica's partitions wait for when it dies; Kafka takes no less than 6 s."""
    kafka_enable_idempotence: bool = True
    kafka_topic_partitions: Annotated[int, Field(ge=1, le=1000)] = 4
    kafka_replication_factor: Annotated[int, Field(ge=1, le=10)] = 1

    outbox_retention: Seconds = 7 * 86_400
    inbox_retention: Annotated[float, Field(ge=7 * 86_400)] = 14 * 86_400
    """Never shorter than the topics keep a message (Kafka: seven days), else a replay doubles."""
    outbox_poll_interval: Seconds = 1

    @model_validator(mode="after")
    def _remember_longer_than_resent(self) -> Self:
        """What is sent again after a broker's loss must still be known as taken."""
        if self.inbox_retention < 2 * self.outbox_retention:
            raise ValueError("INBOX_RETENTION must be at least twice OUTBOX_RETENTION")
        return self


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def load_settings(settings_class: type[SettingsT]) -> SettingsT:
    """Read the settings; a wrong one ends the process with one line that names it, exit code 2."""
    try:
        return settings_class()
    except ValidationError as invalid:
        sys.stderr.write(f"wrong settings: {_describe(invalid)}\n")
        raise SystemExit(2) from None


def _describe(invalid: ValidationError) -> str:
    errors = invalid.errors(include_input=False, include_url=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in error['loc']).upper()}: "
        f"{error['msg'].removeprefix('Value error, ')}".removeprefix(": ")
        for error in errors
    )
