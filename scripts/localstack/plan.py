"""What a stack is to be: chosen once at the start, read by everything else."""

import os
import re
import socket
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlencode

from .ports import Ports
from .processes import MARKER
from .state import REPO, Folder

LOOPBACK = "127.0.0.1"
_PLAIN_PATH = re.compile(r"[\w./-]+", re.ASCII)
# What a password's hash needs, 19 MiB, goes back to the system after it. Read at the start of a
# process, so it has to be there before the services are forked.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576"}
TOPICS = tuple(
    topic + suffix
    for topic in ("order.events", "payment.events", "shipping.events")
    for suffix in ("", ".dlq")
)


@dataclass(frozen=True)
class Options:
    """How `local.py up` was called."""

    folder: Path
    keep: bool = False
    port_base: int | None = None
    services_folder: Path = REPO / "services"
    parent_fd: int | None = None
    preload: bool = sys.platform == "linux"  # macOS does not bear a fork after such imports


@dataclass(frozen=True)
class Plan:
    options: Options
    services: tuple[str, ...]
    ports: Ports
    logs: Path
    marker: str = field(default_factory=lambda: uuid.uuid4().hex)
    user_env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def data(self) -> Path:
        return Folder(self.options.folder).data

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def url(self, name: str) -> str:
        return f"http://{LOOPBACK}:{self.ports[name]}"

    def address(self, name: str) -> str:
        return f"{LOOPBACK}:{self.ports[name]}"

    @cached_property
    def base_env(self) -> dict[str, str]:
        """The user's environment, and the mark of this stack."""
        return {**MALLOC, **self.user_env, MARKER: self.marker}

    def setting(self, name: str, default: str) -> str:
        return self.user_env.get(name) or default

    @cached_property
    def service_env(self) -> dict[str, str]:
        """What a service needs to know. The user's values win where the stack leaves a choice."""
        tunables = {
            "APP_ENV": "local",
            "JWT_SECRET": "devsecret",
            "JWT_ALGORITHM": "HS256",
            "SVC_INTERNAL_KEY": "devkey",
            "KAFKA_FETCH_MAX_WAIT_MS": "20",
            "KAFKA_TOPIC_PARTITIONS": "4",  # so many has a topic that Tansu makes by itself
            "KAFKA_SESSION_TIMEOUT_MS": "2000",  # Tansu lets a group wait as long, in steps of 2 s
            "S3_BUCKET": "media",
            "S3_ACCESS_KEY": "admin",
            "S3_SECRET_KEY": "adminadmin",
            "PYTHONUNBUFFERED": "1",
            "UVICORN_LOOP": "uvloop",
            "UVICORN_HTTP": "libs.http_protocol:Protocol",
            "UVICORN_ACCESS_LOG": "false",
            "UVICORN_PROXY_HEADERS": "false",
            "UVICORN_TIMEOUT_KEEP_ALIVE": "120",  # longer than the gateway keeps idle connections
            "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": "10",
        }
        settings = {name: self.setting(name, default) for name, default in tunables.items()}
        return {**settings, **self._addresses()}

    def _addresses(self) -> dict[str, str]:
        bases = {f"{name.upper()}_BASE": self.url(name) for name in self.services}
        return {
            **bases,
            "POSTGRES_DSN": self.service_postgres_dsn,
            "REDIS_URL": self.redis_url,
            "KAFKA_BOOTSTRAP": self.address("kafka"),
            "KAFKA_BROKERS": self.address("kafka"),
            "KAFKA_ENABLE_IDEMPOTENCE": "false",  # the local broker knows no idempotent producer
            "S3_ENDPOINT": self.url("s3"),
            "SMTP_HOST": LOOPBACK,
            "SMTP_PORT": str(self.ports["smtp"]),
            "UVICORN_HOST": LOOPBACK,
        }

    @property
    def postgres_dsn(self) -> str:
        return f"postgresql+psycopg://postgres:postgres@{self.address('postgres')}/appdb"

    @property
    def service_postgres_dsn(self) -> str:
        """By the Unix socket where there can be one: an order costs 3 % less CPU than over TCP."""
        if not (folder := self.postgres_socket_folder):
            return self.postgres_dsn
        query = urlencode({"host": folder, "port": self.ports["postgres"]})
        return f"postgresql+psycopg://postgres:postgres@/appdb?{query}"

    @cached_property
    def postgres_socket_folder(self) -> Path | None:
        """None where no socket can be: the path is too long or has characters that mean something
        in a DSN, or the file system knows no sockets. Asked once the data folder is there."""
        data = self.data.resolve()
        if not _PLAIN_PATH.fullmatch(str(data)):
            return None
        probe = data / f"postgres--.s.PGSQL.{self.ports['postgres']}"  # longer than the socket's
        probe.unlink(missing_ok=True)
        try:
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(str(probe))
        except OSError:
            return None
        probe.unlink()
        return data / "postgres"

    @property
    def redis_url(self) -> str:
        return f"redis://{self.address('valkey')}/0"
