"""Where the stack is that a script is to talk to: Docker's, or the local one."""

import argparse
import io
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

from .console import Console, ScriptError

REPO = Path(__file__).resolve().parent.parent
ENV_FILE = REPO / "deploy" / (os.environ.get("SERVICES_ENV_FILE") or ".env")
DOCKER_GATEWAY, DOCKER_MAILHOG = "http://localhost", "http://localhost:8025"
COMPOSE = "docker compose -f deploy/docker-compose.yaml --env-file deploy/.env"
START_DOCKER = f"{COMPOSE} up -d --build"
DEFAULT_DSN = "postgresql+psycopg://postgres:postgres@postgres:5432/appdb"
_BOTH = f"start Docker's stack ({START_DOCKER}) or the local one (python scripts/local.py up"
HOW_TO_START_ONE = f"{_BOTH})"
HOW_TO_START = f"{_BOTH}, or this script with --local)"
WINDOWS = "The local stack runs on Linux and macOS; on Windows use Docker or WSL (see README.md)."
START_LIMIT = 60.0
_DOLLAR = re.compile(r"^\s*(?:export\s+)?(\w+)\s*=\s*(?!')[^#\n]*\$(?!\{)", re.MULTILINE)


class StackAway(ScriptError):  # noqa: N818
    """There is no stack to talk to."""

    code = 2


@dataclass(frozen=True)
class Target:
    """A stack, as a client sees it. `info` is the local stack's `stack.json`; `start_seconds` is
    how long it took to come up, if it was started for the caller."""

    gateway: str
    mailhog: str
    internal_key: str
    postgres_dsn: str
    kafka: str
    info: Mapping[str, Any] | None = field(default=None, repr=False)
    start_seconds: float | None = None


def environment(env_file: Path | None = None) -> dict[str, str]:
    """`deploy/.env`, if there is one, under the environment's own variables."""
    from_file: dict[str, str | None] = {}
    file = env_file or ENV_FILE
    if file.exists():
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise ScriptError("deploy/.env is not UTF-8 text; save it as UTF-8") from None
        if found := _DOLLAR.search(text):
            raise ScriptError(
                f"deploy/.env: {found[1]} has a $ in it, which Compose takes for a variable; put "
                "the value in single quotes"
            )
        from_file = dotenv_values(stream=io.StringIO(text))
    return {**{name: value or "" for name, value in from_file.items()}, **os.environ}


def require_env_file() -> None:
    if not ENV_FILE.exists():
        raise ScriptError("deploy/.env is missing; make it: cp deploy/.env.example deploy/.env")


def web_address(text: str) -> str:
    """An argument's value; argparse names the argument when it is none."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address like {DOCKER_GATEWAY}")
    return text.rstrip("/")


def docker_target(gateway: str | None = None, mailhog: str | None = None) -> Target:
    settings = environment()
    return Target(
        gateway=gateway or _published("HTTP_PORT", "80", settings),
        mailhog=mailhog or _published("MAILHOG_PORT", "8025", settings),
        internal_key=settings.get("SVC_INTERNAL_KEY") or "devkey",
        postgres_dsn=host_dsn(settings),
        kafka=host_kafka(settings),
    )


def _published(variable: str, usual: str, settings: Mapping[str, str]) -> str:
    """The address of a server whose port `deploy/.env` may set."""
    port = settings.get(variable) or usual
    return "http://localhost" if port == "80" else f"http://localhost:{port}"


def host_dsn(settings: Mapping[str, str]) -> str:
    """POSTGRES_DSN as it is reached from outside of Docker's network."""
    from sqlalchemy.engine import make_url

    try:
        url = make_url(settings.get("POSTGRES_DSN") or DEFAULT_DSN)
        port = int(settings.get("POSTGRES_PORT") or 0) or url.port
    except Exception:  # the library's own message would repeat the password
        raise ScriptError(
            "POSTGRES_DSN is not a database URL like postgresql+psycopg://user:password@host:5432"
            "/database (percent-encode odd characters in it), or POSTGRES_PORT is not a number"
        ) from None
    if url.host == "postgres":
        url = url.set(host="localhost", port=port)
    return url.render_as_string(hide_password=False).replace(" ", "%20")  # libpq wants it so


def host_kafka(settings: Mapping[str, str]) -> str:
    """KAFKA_BOOTSTRAP as it is reached from outside of Docker's network."""
    host, _, port = (settings.get("KAFKA_BOOTSTRAP") or "kafka:9092").rpartition(":")
    return (
        f"localhost:{settings.get('KAFKA_PORT') or port}" if host == "kafka" else f"{host}:{port}"
    )


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Options for a script that only looks at a stack that is up."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--local", action="store_true", help="the local stack")
    where.add_argument("--docker", action="store_true", help="Docker's stack")
    parser.epilog = "Without --local and --docker: the local stack when it is up, else Docker's."


def chosen_target(asked: argparse.Namespace) -> Target:
    """What `add_choice` let the user choose. Raises StackAway without a local stack."""
    if asked.docker or (sys.platform == "win32" and not asked.local):
        return docker_target()
    found = running_local_target()
    if found is None and asked.local:
        raise StackAway("No local stack is up; start one: python scripts/local.py up")
    return found or docker_target()


def running_local_target() -> Target | None:
    """The local stack that is up now; one that is starting or stopping is waited for."""
    if sys.platform == "win32":
        raise ScriptError(WINDOWS)
    from .localstack import Folder, default_folder

    folder = Folder(default_folder())
    deadline = time.monotonic() + START_LIMIT
    while folder.is_running():
        if info := folder.read():
            return target_of(info)
        if time.monotonic() > deadline:
            raise ScriptError(f"the local stack in {folder.path} is neither up nor gone")
        time.sleep(0.1)
    return None


@contextmanager
def local_target(console: Console) -> Iterator[Target]:
    """The local stack that is up, or one that is up for as long as the block lasts."""
    if target := running_local_target():
        console.show(f"using the local stack that is up at {target.gateway}")
        yield target
        return
    from .localstack import LocalStack, StackError

    stack = LocalStack(quiet=not console.terminal or console.stream is not sys.stdout)
    try:
        try:
            console.progress("starting the local stack")
            started = time.monotonic()
            info = stack.start()
        except StackError as error:
            raise ScriptError(f"The local stack can't start: {error}") from None
        yield replace(target_of(info), start_seconds=time.monotonic() - started)
    finally:
        console.progress("stopping the local stack")
        stack.stop()


def target_of(info: Mapping[str, Any]) -> Target:
    """The stack that a `stack.json` tells of."""
    return Target(
        gateway=info["gateway"],
        mailhog=info["mailhog"],
        internal_key=info["env"]["SVC_INTERNAL_KEY"],
        postgres_dsn=info["postgres_dsn"],
        kafka=info["kafka"],
        info=info,
    )
