"""The database to migrate: where it is, when it is there, and what to do when it is not."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from sqlalchemy.engine import make_url

from ..console import Console, ScriptError
from ..stacks import COMPOSE, START_DOCKER, environment, host_dsn, require_env_file
from ..stacks import running_local_target as running_local

DRIVER = "postgresql+psycopg"
OWN_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Database:
    """`away` and `refused` say what to do then."""

    dsn: str
    away: str
    refused: str

    @property
    def where(self) -> str:
        url = make_url(self.dsn)
        return f"Postgres at {url.host}:{url.port or 5432}/{url.database}"


def local_database() -> Database:
    target = running_local()
    if target is None:
        raise ScriptError("No local stack is up; start one: python scripts/local.py up")
    status = "see python scripts/local.py status"
    return Database(target.postgres_dsn, away=status, refused=status)


def docker_database() -> Database:
    """What `deploy/.env` names, unless the environment names another."""
    if not os.environ.get("POSTGRES_DSN"):
        require_env_file()
    settings = environment()
    dsn = host_dsn(settings)
    if not dsn.startswith(f"{DRIVER}://"):
        raise ScriptError(f"POSTGRES_DSN must start with {DRIVER}://, for the driver in use")
    if make_url(dsn).host not in OWN_HOSTS:
        return Database(dsn, away="is POSTGRES_DSN right?", refused="is POSTGRES_DSN right?")
    return Database(dsn, away=f"start the stack: {START_DOCKER}", refused=_refused(dsn, settings))


def _refused(dsn: str, settings: Mapping[str, str]) -> str:
    url = make_url(dsn)
    parts = {"POSTGRES_USER": url.username, "POSTGRES_PASSWORD": url.password}
    for name, in_dsn in {**parts, "POSTGRES_DB": url.database}.items():
        if settings.get(name) and settings[name] != in_dsn:
            what = name.removeprefix("POSTGRES_").lower()
            return (
                f"POSTGRES_DSN has another {what} than {name}; make them the same, "
                "percent-encoded in POSTGRES_DSN"
            )
    return (
        f"is that another Postgres than the stack's? Then set POSTGRES_PORT in deploy/.env to a "
        f"free port, and start the stack: {START_DOCKER}. Else its volume keeps the user, password "
        "and database that it was made with: set them back in deploy/.env, or delete all its data: "
        f"{COMPOSE} down -v, then start it"
    )


def wait_for(database: Database, limit: float, console: Console) -> None:
    """Returns once it answers. What waiting can't mend ends the script at once."""
    deadline = time.monotonic() + limit
    while why := _refusal(database.dsn):
        if _is_final(why):
            said = why.partition("FATAL:")[2].strip()
            raise ScriptError(f"{database.where} refuses: {said}; {database.refused}")
        if time.monotonic() > deadline:
            raise ScriptError(
                f"{database.where} does not answer within {limit:g} s ({why}); {database.away}"
            )
        console.progress(f"waiting for {database.where}")
        time.sleep(0.3)


def connect(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn.replace("+psycopg", "", 1), connect_timeout=5)


def _refusal(dsn: str) -> str:
    """Why it can't be connected to; empty when it can."""
    try:
        connect(dsn).close()
    except psycopg.OperationalError as error:
        return _in_one_line(error)
    except psycopg.Error as error:
        raise ScriptError(f"POSTGRES_DSN: {_in_one_line(error)}") from None
    return ""


def _in_one_line(error: Exception) -> str:
    """libpq tells of each address that it tried; a server that refused has the word."""
    lines = [*str(error).splitlines(), type(error).__name__]
    refusal = next((line for line in lines if "FATAL" in line), lines[0])
    return " ".join(refusal.split()).removeprefix("connection failed: ")


def _is_final(why: str) -> bool:
    passing = ("starting up", "shutting down", "too many")
    return "FATAL" in why and not any(word in why for word in passing)
