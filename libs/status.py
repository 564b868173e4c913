"""The routes that every service has: `/health`, `/livez`, `/v1/_info`, `/metrics`."""

from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from .errors import RETRY_AFTER_SECONDS
from .health import run_checks

status_router = APIRouter(tags=["status"])


class Health(BaseModel):
    status: str
    service: str
    version: str
    checks: dict[str, str]
    loops: dict[str, dict[str, Any]]


class Info(BaseModel):
    service: str
    version: str
    environment: str


@status_router.get("/health", responses={200: {"model": Health}, 503: {"model": Health}})
async def health(request: Request) -> JSONResponse:
    """200 when the service can do its work; `checks` names everything that is away."""
    context = request.app.state.context
    available, checks = await run_checks(context.checks)
    checks |= {f"loop {name}": loop.check() for name, loop in context.loops.items()}
    body = Health(
        status="ok" if available else "unavailable",
        service=context.name,
        version=context.settings.service_version,
        checks=checks,
        loops={name: loop.facts() for name, loop in context.loops.items()},
    )
    headers = None if available else {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return JSONResponse(body.model_dump(), 200 if available else 503, headers=headers)


@status_router.get("/livez")
async def livez() -> dict[str, str]:
    """The process alone: it answers, whatever is away."""
    return {"status": "ok"}


@status_router.get("/v1/_info")
async def info(request: Request) -> Info:
    settings = request.app.state.settings
    return Info(
        service=request.app.state.context.name,
        version=settings.service_version,
        environment=settings.app_env,
    )


@status_router.get("/metrics", include_in_schema=False)
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
