"""`/docs` that works behind the gateway's prefix and without the internet, and its OpenAPI."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from .errors import PROBLEM_JSON, ProblemDocument

_ASSETS = "/docs/assets"


def add_docs(app: FastAPI) -> None:
    """Serve Swagger UI from the wheel that carries it."""
    spec = find_spec("fastapi_offline")
    assert spec is not None
    assert spec.origin is not None
    app.mount(_ASSETS, StaticFiles(directory=Path(spec.origin).parent / "static"), name="assets")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        prefix = request.scope.get("root_path", "").rstrip("/")
        return get_swagger_ui_html(
            openapi_url=f"{prefix}/openapi.json",
            title=app.title,
            oauth2_redirect_url=f"{prefix}/docs/oauth2-redirect",
            swagger_js_url=f"{prefix}{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{prefix}{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{prefix}{_ASSETS}/favicon.png",
        )

    @app.get("/docs/oauth2-redirect", include_in_schema=False)
    async def oauth2_redirect() -> HTMLResponse:
        return get_swagger_ui_oauth2_redirect_html()


def document_problems(app: FastAPI) -> None:
    """Have OpenAPI tell of problem documents by their own media type."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            for path in generate()["paths"].values():
                for operation in path.values():
                    for response in operation["responses"].values():
                        _name_media_type(response.get("content", {}))
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]


def _name_media_type(content: dict[str, Any]) -> None:
    schema = content.get("application/json", {}).get("schema", {})
    if schema.get("$ref", "").endswith(f"/{ProblemDocument.__name__}"):
        content[PROBLEM_JSON] = content.pop("application/json")
