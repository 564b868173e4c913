"""Errors that a client sees: each is an RFC 9457 problem document with a stable `code`."""

from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from .logging import describe_error, fields, get_logger, request_id_var

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = 2
MIGRATIONS_PENDING = "migrations pending: run python scripts/seed.py"
_MISSING_TABLE_SQLSTATES = {"42P01", "42703", "3F000"}

log = get_logger(__name__)


class Problem(Exception):  # noqa: N818 - the standard's own word
    """Base of all errors that a client is told about; `detail` must not repeat secrets."""

    status = 500
    code = "internal_error"
    headers: dict[str, str] | None = None

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class Unauthorized(Problem):
    status, code = 401, "unauthorized"
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012


class Forbidden(Problem):
    status, code = 403, "forbidden"


class NotFound(Problem):
    status, code = 404, "not_found"


class Conflict(Problem):
    status, code = 409, "conflict"


class UnsupportedMediaType(Problem):
    status, code = 415, "unsupported_media_type"


class Invalid(Problem):
    status, code = 422, "invalid"


class Unavailable(Problem):
    """Something that this request needs is away; trying again later may work."""

    status, code = 503, "unavailable"
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}  # noqa: RUF012


class FieldError(BaseModel):
    loc: list[str | int]
    msg: str
    type: str


class ProblemDocument(BaseModel):
    """RFC 9457, with the stable `code` and the request id as extensions."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[FieldError] | None = None


def problem_body(status: int, code: str, detail: str, path: str, **extra: Any) -> dict[str, Any]:
    return {
        "type": f"urn:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path,
        "code": code,
        "request_id": request_id_var.get(),
        **extra,
    }


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    body = problem_body(
        problem.status, problem.code, problem.detail, request.url.path, **problem.extra
    )
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=PROBLEM_JSON)


async def on_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problem_response(request, error)


async def on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    detail = error.detail if error.detail != phrase else _ROUTING_DETAILS.get(error.status_code)
    body = problem_body(error.status_code, code, detail or phrase, request.url.path)
    return JSONResponse(body, error.status_code, headers=error.headers, media_type=PROBLEM_JSON)


_ROUTING_DETAILS = {
    404: "There is nothing at this path.",
    405: "This path does not take that method.",
    413: "The body is too large.",
}


async def on_validation_error(request: Request, error: Exception) -> JSONResponse:
    """422 with what is wrong and where, never with the input itself."""
    assert isinstance(error, RequestValidationError)
    errors = [
        {
            "loc": list(item["loc"]),
            "msg": item["msg"].removeprefix("Value error, "),
            "type": item["type"],
        }
        for item in error.errors()
    ]
    detail = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in errors[:5])
    return problem_response(request, Invalid(detail, errors=errors))


def internal_error(request: Request, error: BaseException) -> JSONResponse:
    log.error("unhandled error", extra=fields(error=describe_error(error), path=request.url.path))
    return problem_response(request, Problem("Something went wrong on our side."))


def migrations_pending(error: BaseException) -> bool:
    """A schema, table or column is not there yet."""
    return sqlstate(error) in _MISSING_TABLE_SQLSTATES


def sqlstate(error: BaseException | None) -> str | None:
    """Postgres' five-character error code, or None."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return state if isinstance(state, str) else None
