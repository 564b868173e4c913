"""The service factory: from a service's tables, routes, handlers and loops to a running app."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from .config import ServiceSettings, SettingsT, load_settings
from .docs import add_docs, document_problems
from .errors import (
    Problem,
    ProblemDocument,
    on_http_exception,
    on_problem,
    on_validation_error,
)
from .event_loop import choose_event_loop
from .health import Check
from .logging import configure_logging, fields, get_logger
from .loops import Loop
from .middleware import RequestMiddleware
from .status import status_router

if TYPE_CHECKING:  # a service without tables or neighbours does not load what is for them
    import aiohttp

    from .db import Database
    from .http import ServiceClient
    from .tables import Tables

log = get_logger(__name__)

_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
_PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ProblemDocument, "description": "Refused; `detail` says why"},
    "5XX": {"model": ProblemDocument, "description": "Away or failing; try again later"},
}


@dataclass
class ServiceContext(Generic[SettingsT]):
    """What a running service holds: opened in the lifespan, closed in reverse."""

    name: str
    settings: SettingsT
    app: FastAPI
    resources: AsyncExitStack
    checks: list[Check] = field(default_factory=list)
    loops: dict[str, Loop] = field(default_factory=dict)
    _http: "aiohttp.ClientSession | None" = None

    @property
    def database(self) -> "Database":
        """Of a service with tables."""
        database: Database = self.app.state.database
        return database

    def client(self, name: str, base_url: str) -> "ServiceClient":
        """Another service; all share one HTTP session."""
        from .http import ServiceClient, open_session

        if self._http is None:
            self._http = open_session(self.settings)
            self.resources.push_async_callback(self._http.close)
        return ServiceClient(self._http, name, base_url)

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
    tables: "Tables | None" = None,
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
        lifespan=_lifespan(name, settings, tables, extras),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(RequestMiddleware, service=name)],
        responses=_PROBLEM_RESPONSES,
        telemetry=_TELEMETRY,
    )
    app.state.settings = settings
    _add_error_handlers(app)
    if tables:
        tables.add_error_handlers(app)
    add_docs(app)
    document_problems(app)
    for router in (status_router, *routers):
        app.include_router(router)
    return app


def _add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)


def _lifespan(
    name: str,
    settings: ServiceSettings,
    tables: "Tables | None",
    extras: Extras | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            context = app.state.context = ServiceContext(name, settings, app, stack)
            if tables:
                app.state.database = tables.open(context)
            if extras:
                await stack.enter_async_context(extras(context))
            stack.push_async_callback(_stop_loops, context)
            for loop in context.loops.values():
                loop.start()
            log.info("started", extra=fields(environment=settings.app_env))
            gc.collect()
            gc.freeze()  # what stays for good is not to be looked through again and again
            yield

    return lifespan


async def _stop_loops(context: ServiceContext[Any]) -> None:
    limit = context.settings.shutdown_timeout
    await asyncio.gather(*(loop.stop(limit) for loop in context.loops.values()))


def service_root(main_file: str) -> Path:
    """The folder of a service, from its `app/main.py`'s `__file__`."""
    return Path(main_file).resolve().parent.parent
