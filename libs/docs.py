"""`/docs` that works behind the gateway's prefix and without the internet."""

from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

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
