"""The service factory: from a service's tables, routes, handlers and loops to a running app."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

import aiohttp
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from .config import ServiceSettings, SettingsT, load_settings
from .consumer import EventConsumer, Handlers
from .db import Database
from .docs import add_docs, document_problems
from .errors import (
    Problem,
    ProblemDocument,
    on_database_error,
    on_http_exception,
    on_problem,
    on_validation_error,
)
from .event_loop import choose_event_loop
from .events import TOPICS
from .health import Check, broker_check, database_check
from .http import ServiceClient, open_session
from .idempotency import IdempotencyMixin
from .inbox import InboxMixin
from .logging import configure_logging, fields, get_logger
from .loops import Loop
from .middleware import RequestMiddleware
from .outbox import OUTBOX, Outbox
from .pruning import Pruner
from .relay import OutboxRelay
from .status import status_router

log = get_logger(__name__)

_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
_PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ProblemDocument, "description": "Refused; `detail` says why"},
    "5XX": {"model": ProblemDocument, "description": "Away or failing; try again later"},
}


@dataclass(frozen=True)
class Tables:
    """The shared kinds of table that a service has; `root` is the folder of its alembic.ini."""

    root: Path
    outbox: Outbox | None = None
    inbox: type[InboxMixin] | None = None
    idempotency: type[IdempotencyMixin] | None = None


@dataclass
class ServiceContext(Generic[SettingsT]):
    """What a running service holds: opened in the lifespan, closed in reverse."""

    name: str
    settings: SettingsT
    app: FastAPI
    database: Database
    http: aiohttp.ClientSession
    checks: list[Check] = field(default_factory=list)
    loops: dict[str, Loop] = field(default_factory=dict)

    def client(self, name: str, base_url: str) -> ServiceClient:
        return ServiceClient(self.http, name, base_url)

    def add_loop(self, name: str, run: Callable[[Loop], Awaitable[None]]) -> Loop:
        """A supervised loop, started once the service is up and drained at its shutdown."""
        self.loops[name] = Loop(name, run)
        return self.loops[name]


Extras = Callable[[ServiceContext[Any]], AbstractAsyncContextManager[None]]


def create_service_app(
    name: str,
    settings_class: type[SettingsT],
    *,
    routers: Sequence[APIRouter],
    tables: Tables | None = None,
    handlers: Handlers | None = None,
    extras: Extras | None = None,
) -> FastAPI:
    """The ASGI app of a service. Ends the process with exit code 2 when a setting is wrong, or
    the event loop is one that its database can't be used in.

    `extras` opens what only this service has (Redis, S3, loops of its own) and closes it again.
    """
    settings = load_settings(settings_class)
    if tables:
        choose_event_loop()
    configure_logging(name, level=settings.log_level, style=settings.log_format)
    if names := settings.default_secrets():
        log.warning("DEFAULT SECRETS IN USE, fit for a demo only: %s", ", ".join(names))
    app = FastAPI(
        title=f"{name.capitalize()} service",
        version=settings.service_version,
        lifespan=_lifespan(name, settings, tables, handlers or {}, extras),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(RequestMiddleware, service=name)],
        responses=_PROBLEM_RESPONSES,
        telemetry=_TELEMETRY,
    )
    app.state.settings = settings
    _add_error_handlers(app)
    add_docs(app)
    document_problems(app)
    for router in (status_router, *routers):
        app.include_router(router)
    return app


def _add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(SQLAlchemyError, on_database_error)
    app.add_exception_handler(TimeoutError, on_database_error)


def _lifespan(
    name: str,
    settings: ServiceSettings,
    tables: Tables | None,
    handlers: Handlers,
    extras: Extras | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = Database(settings, name)
            stack.push_async_callback(database.close)
            http = await stack.enter_async_context(open_session(settings))
            context = ServiceContext(name, settings, app, database, http)
            app.state.context, app.state.database = context, database
            if tables:
                _add_tables(context, tables, handlers)
            if extras:
                await stack.enter_async_context(extras(context))
            stack.push_async_callback(_stop_loops, context)
            for loop in context.loops.values():
                loop.start()
            log.info("started", extra=fields(environment=settings.app_env))
            yield

    return lifespan


def _add_tables(context: ServiceContext[Any], tables: Tables, handlers: Mapping[Any, Any]) -> None:
    """The database check, and the loops that the service's tables call for."""
    settings, database = context.settings, context.database
    context.checks.append(database_check(database, context.name, tables.root / "migrations"))
    if not tables.outbox:
        return
    context.checks.append(broker_check(settings.kafka_bootstrap))
    relay = context.add_loop("relay", OutboxRelay(settings, context.name, TOPICS).run)
    database.on_commit(OUTBOX, relay.wake)
    pruner = Pruner(
        database,
        settings,
        outbox=tables.outbox.table,
        inbox=tables.inbox,
        idempotency=tables.idempotency,
    )
    context.add_loop("pruner", pruner.run)
    if handlers and tables.inbox:
        consumer = EventConsumer(
            settings, database, handlers=handlers, outbox=tables.outbox, inbox=tables.inbox
        )
        context.add_loop("consumer", consumer.run)


async def _stop_loops(context: ServiceContext[Any]) -> None:
    limit = context.settings.shutdown_timeout
    await asyncio.gather(*(loop.stop(limit) for loop in context.loops.values()))


def service_root(main_file: str) -> Path:
    """The folder of a service, from its `app/main.py`'s `__file__`."""
    return Path(main_file).resolve().parent.parent
