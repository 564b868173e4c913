"""The services of the stack: which there are, how one is started, how its tables are migrated."""

from pathlib import Path

from .errors import StackError
from .plan import Plan
from .processes import Command
from .servers import SERVICE_TIER

ORDER = ("auth", "catalog", "cart", "order", "payment", "shipping", "notifications")
# What every service imports anyway; nothing of the project, so that a restart sees edited code.
PRELOAD = (
    "fastapi",
    "uvicorn.main",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.lifespan.on",
    "uvloop",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.dialects.postgresql.psycopg",
    "psycopg",
    "aiokafka",
    "alembic.config",
    "alembic.command",
    "aiohttp",
    "pydantic_settings",
    "prometheus_client",
    "jwt",
    "redis.asyncio",
)


def find_services(folder: Path) -> tuple[str, ...]:
    """Every folder with an app, in the order of the flow."""
    found = sorted(app.parents[1].name for app in folder.glob("*/app/main.py"))
    if not found:
        raise StackError(f"there are no services in {folder}")
    return tuple(sorted(found, key=lambda name: ORDER.index(name) if name in ORDER else 99))


def service(plan: Plan, name: str) -> Command:
    return Command(
        name=name,
        module="uvicorn",
        argv=("app.main:app",),
        log=plan.log(name),
        cwd=plan.options.services_folder / name,
        env={**_env(plan), **own_env(plan, name)},
        tier=SERVICE_TIER,
    )


def own_env(plan: Plan, name: str) -> dict[str, str]:
    return {"UVICORN_PORT": str(plan.ports[name]), "UVICORN_ROOT_PATH": f"/{name}"}


def migrations(plan: Plan) -> list[Command]:
    return [
        Command(
            name=f"{ini.parent.name} migration",
            module="alembic",
            argv=("upgrade", "head"),
            log=plan.log(f"{ini.parent.name}-migration"),
            cwd=ini.parent,
            env=_env(plan),
            tier=SERVICE_TIER,
        )
        for ini in sorted(plan.options.services_folder.glob("*/alembic.ini"))
    ]


def _env(plan: Plan) -> dict[str, str]:
    return {**plan.base_env, **plan.service_env}
