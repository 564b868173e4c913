"""Routes that refuse a caller before they read the body, and parse JSON strictly."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException

from .errors import Invalid, Problem, UnsupportedMediaType
from .security import InternalKeyGuard, UserGuard

MAX_BODY_BYTES = 1024 * 1024
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

Guard = UserGuard | InternalKeyGuard
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ContentTooLarge(Problem):
    status, code = 413, "content_too_large"


async def read_body(request: Request, *, limit: int) -> bytes:
    """The body, of `limit` bytes at most. Raises ContentTooLarge without reading all of it."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise ContentTooLarge(f"The body is larger than {limit} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


class _BoundedRequest(Request):
    """A request whose body is bounded, and whose JSON is strict: no NaN, Infinity, lone
    surrogates or bottomless nesting; 422 names the fault."""

    _json: Any

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await read_body(self, limit=MAX_BODY_BYTES)
        return self._body

    async def parse_form(self) -> None:
        """Parse now, as with JSON; FastAPI takes any other type for an empty form."""
        if not await self.body():
            return
        _require_type(self, *_FORMS)
        try:
            await self.form()
        except HTTPException as error:  # in Starlette's own words
            raise Invalid(f"The body is not a valid form: {error.detail}") from None
        except (ValueError, LookupError):  # whose words may repeat the body
            raise Invalid("The body is not a valid form.") from None

    async def parse_json(self) -> None:
        """Parse now, outside FastAPI's own handling, which would make any fault a 400."""
        content = await self.body()
        if not content:
            return
        _require_type(self, "application/json")
        try:
            self._json = from_json(content, allow_inf_nan=False)
        except (ValueError, RecursionError) as error:
            raise Invalid(f"The body is not valid JSON: {_fault(error)}.") from None


class ServiceRoute(APIRoute):
    """FastAPI reads the body before it asks who is calling; this route asks first."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        guards = list(_guards(self.dependant))
        takes_body = self.body_field is not None
        takes_form = takes_body and _is_form(self)

        async def guarded(request: Request) -> Response:
            for guard in guards:
                guard.check(request)
            if takes_body:
                request = _BoundedRequest(request.scope, request.receive)
                await (request.parse_form() if takes_form else request.parse_json())
            return await handle(request)

        return guarded


def service_router(**options: Any) -> APIRouter:
    """An APIRouter whose routes check the caller first."""
    return APIRouter(route_class=ServiceRoute, **options)


def _guards(dependant: Dependant) -> Iterator[Guard]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, UserGuard | InternalKeyGuard):
            yield dependency.call


def _is_form(route: APIRoute) -> bool:
    field = route.body_field
    return field is not None and "form" in str(getattr(field.field_info, "media_type", ""))


def _require_type(request: Request, *types: str) -> None:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in types:
        raise UnsupportedMediaType(f"Send it with the header Content-Type: {' or '.join(types)}.")


def _fault(error: Exception) -> str:
    """The parser's words and its place in the text; they never repeat the text."""
    return str(error) if isinstance(error, ValueError) else "nested too deeply"
