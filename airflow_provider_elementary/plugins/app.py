"""The application behind the Elementary page: who may see it, what headers it sends, which routes it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import Depends, FastAPI, HTTPException, Request, Response, status
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from airflow_provider_elementary.plugins.chains import configured_stores, read_chain

_TEMPLATES = Path(__file__).parent / "templates"
#: The page runs no script, loads nothing from elsewhere, and is framed by Airflow only.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def create_app() -> FastAPI:
    """Return the application; each route is for those who may see plugins in Airflow, and only reads."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(_may_see_plugins())])
    templates = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    templates.filters["size"] = readable_size

    @app.middleware("http")
    async def protect(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    # Plain functions: the framework gives them a thread, and stores block.
    @app.get("/")
    def snapshots() -> HTMLResponse:
        chains = [read_chain(uri, aws_conn_id) for uri, aws_conn_id in configured_stores()]
        return HTMLResponse(templates.get_template("snapshots.html").render(chains=chains))

    @app.get("/style.css")
    def style() -> Response:
        return Response((_TEMPLATES / "style.css").read_text(), media_type="text/css")

    return app


def readable_size(count: int) -> str:
    """Write a number of bytes for people, as in ``1.5 MB``; powers of 1000."""
    size, units = float(count), ("bytes", "kB", "MB", "GB", "TB")
    unit = 0
    while size >= 1000 and unit < len(units) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:,.1f} {units[unit]}" if unit else f"{count} {units[0]}"


def _may_see_plugins() -> Callable[..., object]:
    """Return the dependency that lets those in who may see plugins; nobody where Airflow no longer has it."""
    try:
        from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
        from airflow.api_fastapi.core_api.security import requires_access_view
    except ImportError:
        return _nobody
    return requires_access_view(AccessView.PLUGINS)


def _nobody() -> None:
    raise HTTPException(
        status.HTTP_503_SERVICE_UNAVAILABLE,
        "This version of Airflow authorizes plugins in another way. Upgrade airflow-provider-elementary.",
    )
