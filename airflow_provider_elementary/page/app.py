"""The application behind the Elementary page: who may see it, what headers it sends, which routes it has."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response, status
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from starlette.exceptions import HTTPException as AnyHTTPException

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.hooks.store import configured_stores
from airflow_provider_elementary.page import rendering
from airflow_provider_elementary.page.store_reader import Readers
from airflow_provider_elementary.page.views import access, backtests, incidents, overview, snapshots, table, tables
from airflow_provider_elementary.page.views import base as view

log = logging.getLogger(__name__)

#: The page runs no script, loads nothing from elsewhere, sends its searches to itself, and is framed by Airflow only.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class View:
    """One view of the page.

    :param path: its address, relative to the page's.
    :param title: in the navigation and the heading; one that is reached from another view has that one's.
    :param build: makes what the template shows.
    :param is_of_data: it shows what was synced, metrics and owners among it, and not the manifests alone.
    """

    path: str
    title: str
    template: str
    build: Callable[[view.Request], object]
    is_of_data: bool
    in_navigation: bool = True


VIEWS = (
    View("", "Overview", "overview.html", overview.build, is_of_data=True),
    View("tables", "Tables", "tables.html", tables.build, is_of_data=True),
    View("table", "Tables", "table.html", table.build, is_of_data=True, in_navigation=False),
    View("incidents", "Incidents", "incidents.html", incidents.build, is_of_data=True),
    View("backtests", "Backtests", "backtests.html", backtests.build, is_of_data=True),
    View("snapshots", "Snapshots", "snapshots.html", snapshots.build, is_of_data=False),
    View("snapshot", "Snapshots", "snapshot.html", snapshots.build_one, is_of_data=False, in_navigation=False),
    View("access", "Access", "access.html", access.build, is_of_data=False),
)


def create_app() -> FastAPI:
    """Return the application; each route only reads, and asks Airflow whether the person may see what it shows."""
    may_see_plugins, may_see_data = _authorization()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(may_see_plugins)])
    templates = rendering.environment()
    readers = Readers()

    @app.middleware("http")
    async def protect(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.exception_handler(AnyHTTPException)
    async def refuse(request: Request, error: AnyHTTPException) -> Response:
        return _message(templates, error.status_code, _REFUSALS.get(error.status_code, str(error.detail)))

    for shown in VIEWS:
        dependencies = [Depends(may_see_data)] if shown.is_of_data else []
        app.get(f"/{shown.path}", dependencies=dependencies)(_endpoint(shown, templates, readers))
    # Whoever starts the server may show the first view to nobody, so that what it is made with is there.
    app.state.warm_up = lambda: _answer(VIEWS[0], {}, templates, readers)

    @app.get("/style.css")
    def style() -> Response:
        return Response((rendering.TEMPLATES / "style.css").read_text(), media_type="text/css")

    return app


def _endpoint(shown: View, templates: Environment, readers: Readers) -> Callable[[Request], Response]:
    # A plain function: the framework gives it a thread, and stores block.
    def answer(request: Request) -> Response:
        return _answer(shown, dict(request.query_params), templates, readers)

    return answer


def _answer(shown: View, values: Mapping[str, str], templates: Environment, readers: Readers) -> Response:
    """Return a view; what goes wrong is told in the answer, never raised."""
    try:
        stores = configured_stores()
        if not stores:
            return _page(templates, "unconfigured.html", shown, stores, None, None)
        store = _chosen(stores, values.get("store", ""))
        reader = readers.of(store)
        built = shown.build(view.Request(reader, values))
        return _page(templates, shown.template, shown, stores, store, built)
    except view.NotHereError as error:
        return _message(templates, status.HTTP_404_NOT_FOUND, str(error))
    except ElementaryError as error:
        return _message(templates, status.HTTP_200_OK, str(error))
    except Exception as error:
        log.error("the Elementary page could not show %s", shown.title, exc_info=error)
        text = f"Something went wrong ({type(error).__name__}); the API server's log says more."
        return _message(templates, status.HTTP_500_INTERNAL_SERVER_ERROR, text)


def _chosen(stores: list[str], name: str) -> str:
    if not name:
        return stores[0]
    if name in stores:
        return name
    raise view.NotHereError(
        f"Expected one of the stores of Airflow's configuration, found {name[:200]!r}. It may have been removed from "
        "the option stores in the section [elementary]."
    )


def _page(
    templates: Environment,
    template: str,
    shown: View,
    stores: list[str],
    store: str | None,
    built: object,
) -> HTMLResponse:
    chosen = store if store and store != stores[0] else ""

    def to(path: str, **values: Any) -> str:
        return rendering.address(path, store=chosen, **values)

    text = templates.get_template(template).render(
        it=built,
        to=to,
        shown=shown,
        views=[other for other in VIEWS if other.in_navigation],
        stores=stores,
        store=store or "",
        chosen=chosen,
    )
    return HTMLResponse(text)


def _message(templates: Environment, status_code: int, text: str) -> HTMLResponse:
    title = _TITLES.get(status_code, "This cannot be shown")
    body = templates.get_template("message.html").render(title=title, text=text)
    return HTMLResponse(body, status_code=status_code)


_TITLES: Mapping[int, str] = {
    401: "Sign in to Airflow",
    403: "You may not see this",
    404: "Not here",
    405: "This page only reads",
    500: "Something went wrong",
}
_REFUSALS: Mapping[int, str] = {
    401: "This page is for those who are signed in to Airflow. Sign in, then open it again from the menu.",
    403: "Airflow does not let you see this: the Elementary page needs the permission to see plugins, and what it "
    "shows of tables, metrics and incidents needs the permission to read assets. Snapshots and Access need only the "
    "first. Ask whoever gives out roles in Airflow.",
    404: "There is no such view.",
    405: "Nothing can be changed here.",
}


def _authorization() -> tuple[Callable[..., object], Callable[..., object]]:
    """Return who may see the page and who its data; nobody where this version of Airflow no longer says it so."""
    try:
        from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
        from airflow.api_fastapi.core_api.security import requires_access_asset, requires_access_view
    except ImportError:
        return _nobody, _nobody
    return requires_access_view(AccessView.PLUGINS), requires_access_asset("GET")


def _nobody() -> None:
    raise HTTPException(
        status.HTTP_503_SERVICE_UNAVAILABLE,
        "This version of Airflow authorizes plugins in another way. Upgrade airflow-provider-elementary.",
    )
