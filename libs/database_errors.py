"""What an error of the database means for a client, and for whoever may try again."""

from fastapi import Request
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.responses import JSONResponse

from .errors import (
    MIGRATIONS_PENDING,
    Unavailable,
    internal_error,
    migrations_pending,
    problem_response,
    sqlstate,
)
from .logging import describe_error, fields, get_logger

_PROGRAM_LIMIT_CLASS = "54"
"""A value too large for an index, and the like: an "operational" error that no retry mends."""

log = get_logger(__name__)


async def on_database_error(request: Request, error: Exception) -> JSONResponse:
    """503 when the database is away or not migrated yet; anything else is our own fault."""
    if unavailable := database_unavailable(error):
        return problem_response(request, unavailable)
    return internal_error(request, error)


def database_unavailable(error: BaseException) -> Unavailable | None:
    """The problem to answer with when `error` says that the database can't be used just now."""
    if migrations_pending(error):
        return Unavailable(MIGRATIONS_PENDING)
    if (sqlstate(error) or "").startswith(_PROGRAM_LIMIT_CLASS):
        return None
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout | TimeoutError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    ):
        log.warning("database unavailable", extra=fields(error=describe_error(error)))
        return Unavailable("The database can't be reached; try again shortly.")
    return None
