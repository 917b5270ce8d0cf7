"""Builds the web application of the Elementary page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response, status
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment
from starlette.exceptions import HTTPException as AnyHTTPException

from airflow_provider_elementary.hooks.store import configured_stores
from airflow_provider_elementary.page import bundle, rendering
from airflow_provider_elementary.page.arrow_pool import release_arrow, use_system_allocator
from airflow_provider_elementary.page.currency import FindAttempts
from airflow_provider_elementary.page.failures import UNREADABLE, describe_failure
from airflow_provider_elementary.page.json_answers import answer as json_answer
from airflow_provider_elementary.page.store_reader import Readers, StoreReader
from airflow_provider_elementary.page.views import base as view
from airflow_provider_elementary.page.views.registry import VIEWS, View

#: The page runs only its own script, loads nothing from other hosts, submits forms to itself, and is framed
#: by Airflow only.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self' data:; frame-ancestors 'self'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


#: The page's own files, by media type.
_FILES = {
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
    "icon-dark.svg": "image/svg+xml",
}
#: Below this path, each view answers in JSON.
JSON = "api"
_NO_STORE = "No store is configured."
#: What views import when they read rows, which takes longer than to read them.
_OF_ROWS = (
    *("duckdb", "numpy", "pyarrow.compute", "pyarrow.parquet.encryption"),
    *("airflow_provider_elementary.anomalies", "airflow_provider_elementary.metrics"),
    *("airflow_provider_elementary.snapshots.repository", "airflow_provider_elementary.incidents.store"),
)


def create_app(
    *,
    may_see_page: Callable[..., object],
    may_see_data: Callable[..., object],
    find_attempts: FindAttempts | None = None,
) -> FastAPI:
    """Return the application; its routes only read.

    :param may_see_page: dependency of every route, which raises for a person who may not see the page.
    :param may_see_data: further dependency of the views that show synced data.
    :param find_attempts: returns what Airflow knows of the task that takes snapshots.
    """
    use_system_allocator()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(may_see_page)])
    templates = rendering.environment()
    readers = Readers(find_attempts)

    @app.middleware("http")
    async def protect(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(AnyHTTPException)
    async def refuse(request: Request, error: AnyHTTPException) -> Response:
        text = _REFUSALS.get(error.status_code, str(error.detail))
        # Airflow itself may be below a prefix of this name.
        path = str(request.scope["path"]).removeprefix(request.scope.get("root_path", ""))
        if path.startswith(f"/{JSON}/"):
            return _json_error(error.status_code, text)
        return _message(templates, error.status_code, text)

    for shown in VIEWS:
        dependencies = [Depends(may_see_data)] if shown.is_of_data else []
        app.get(f"/{shown.path}", dependencies=dependencies)(_endpoint(shown, templates, readers))
        name = shown.path or "overview"
        app.get(f"/{JSON}/{name}", dependencies=dependencies)(_json_endpoint(shown, readers))
    # For the start of the server, before it answers and beside it.
    app.state.prepare = partial(_prepare, templates)
    app.state.warm_up = lambda: _answer(VIEWS[0], {}, templates, readers)

    @app.get("/tables.csv", dependencies=[Depends(may_see_data)])
    def tables_csv(request: Request) -> Response:
        return _csv_answer(_values(request), templates, readers)

    for name, kind in _FILES.items():
        app.get(f"/{name}")(_file(name, kind))
    if bundle.version():
        for name in bundle.SCRIPTS:
            app.get(f"/{name}")(_script(name))
    return app


def _prepare(templates: Environment) -> None:
    """Import what views read rows with, and compile their templates; nothing of a store is read."""
    for module in _OF_ROWS:
        import_module(module)
    for shown in VIEWS:
        shown.load()
        templates.get_template(shown.template)


# Functions, not partials: older releases of FastAPI cannot read the annotations of those.
def _file(name: str, kind: str) -> Callable[[], Response]:
    def answer() -> Response:
        return Response((rendering.TEMPLATES / name).read_text(encoding="utf-8"), media_type=kind)

    return answer


def _script(name: str) -> Callable[[], Response]:
    def answer() -> Response:
        return bundle.script(name)

    return answer


def _endpoint(shown: View, templates: Environment, readers: Readers) -> Callable[[Request], Response]:
    # A plain function, not a coroutine: the framework runs it in a thread, as reading a store blocks.
    def answer(request: Request) -> Response:
        return _answer(shown, _values(request), templates, readers)

    return answer


def _json_endpoint(shown: View, readers: Readers) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        return _json_answer(shown, _values(request), readers)

    return answer


def _values(request: Request) -> dict[str, str]:
    """Return the values of the address; of a name that is given several times, as by check boxes, all of them."""
    given = request.query_params
    return {name: ",".join(given.getlist(name)) for name in given}


def _answer(shown: View, values: Mapping[str, str], templates: Environment, readers: Readers) -> Response:
    """Return a view; an error becomes a page with its text."""

    def answer(found: _Found | None) -> Response:
        if found is None:
            return _page(templates, "unconfigured.html", shown, [])
        built = shown.build(view.Request(found.reader, values))
        is_pinned = found.reader.opened.is_pinned
        return _page(templates, shown.template, shown, found.stores, found.store, built, is_pinned=is_pinned)

    # A page that shows why a store cannot be read is an answer; a program reads the status of the others.
    return _answered(shown.title, values, readers, answer, partial(_message, templates), unreadable=status.HTTP_200_OK)


def _json_answer(shown: View, values: Mapping[str, str], readers: Readers) -> Response:
    """Return what a view shows as JSON; an error becomes an object with its text."""

    def answer(found: _Found | None) -> Response:
        if found is None:
            return _json_error(status.HTTP_404_NOT_FOUND, _NO_STORE)
        built, status_code = json_answer(readers, found.store, shown, values)
        return JSONResponse(built, status_code=status_code)

    return _answered(f"{shown.title} as JSON", values, readers, answer, _json_error)


def _csv_answer(values: Mapping[str, str], templates: Environment, readers: Readers) -> Response:
    """Return the tables that match as a CSV file; an error becomes a page with its text."""

    def answer(found: _Found | None) -> Response:
        if found is None:
            return _message(templates, status.HTTP_404_NOT_FOUND, _NO_STORE)
        from airflow_provider_elementary.page.views.tables import as_csv

        text = as_csv(view.Request(found.reader, values))
        # Before Airflow 3.3.2 the frame of the page does not let files be saved: there the text is shown.
        if values.get("inline"):
            return Response(text, media_type="text/plain; charset=utf-8")
        headers = {"Content-Disposition": 'attachment; filename="tables.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    return _answered("Tables as CSV", values, readers, answer, partial(_message, templates))


@dataclass(frozen=True)
class _Found:
    """The store of a request, and all that are configured."""

    stores: list[str]
    store: str
    reader: StoreReader


def _answered(
    title: str,
    values: Mapping[str, str],
    readers: Readers,
    answer: Callable[[_Found | None], Response],
    error_response: Callable[[int, str], Response],
    *,
    unreadable: int = UNREADABLE,
) -> Response:
    """Choose the store and answer from it; an error becomes a response, never an exception.

    :param title: of what is answered, for the log.
    :param answer: called with the store, or with None where none is configured.
    :param unreadable: the status where the store cannot be read.
    """
    try:
        stores = configured_stores()
        if not stores:
            return answer(None)
        store = _chosen(stores, values.get("store", ""))
        reader = readers.of(store)
        with reader.one_answer(title):
            return answer(_Found(stores, store, reader))
    except Exception as error:
        status_code, text = describe_failure(error, title)
        return error_response(unreadable if status_code == UNREADABLE else status_code, text)
    finally:
        release_arrow()


def _json_error(status_code: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status_code=status_code)


def _chosen(stores: list[str], name: str) -> str:
    if not name:
        return stores[0]
    if name in stores:
        return name
    raise view.NotHereError(
        f"Store {name[:200]!r} is not configured. It may have been removed from the option stores in the section "
        "[elementary] of Airflow's configuration."
    )


def _page(
    templates: Environment,
    template: str,
    shown: View,
    stores: list[str],
    store: str | None = None,
    built: object = None,
    *,
    is_pinned: bool = True,
) -> HTMLResponse:
    chosen = store if store and store != stores[0] else ""

    def url_for(path: str, **values: Any) -> str:
        return rendering.address(path, store=chosen, **values)

    text = templates.get_template(template).render(
        page=built,
        url_for=url_for,
        shown=shown,
        views=[other for other in VIEWS if other.in_navigation],
        stores=stores,
        store=store or "",
        chosen=chosen,
        is_pinned=is_pinned,
    )
    return HTMLResponse(text)


def _message(templates: Environment, status_code: int, text: str) -> HTMLResponse:
    title = _TITLES.get(status_code, "This view cannot be shown")
    body = templates.get_template("message.html").render(title=title, text=text)
    return HTMLResponse(body, status_code=status_code)


_TITLES: Mapping[int, str] = {
    401: "Sign in to Airflow",
    403: "Permission denied",
    404: "Not found",
    405: "Method not allowed",
    500: "Something went wrong",
}
_REFUSALS: Mapping[int, str] = {
    401: "Sign in to Airflow, then open this page again from the menu.",
    403: "You do not have the permission in Airflow: the Elementary page requires the permission to see plugins, and "
    "its tables, metrics and incidents also require the permission to read assets. Ask an administrator of Airflow.",
    404: "This view does not exist.",
    405: "The page is read-only.",
}


def refuse_everybody() -> None:
    """Refuse a request: the dependency to pass where Airflow's authorization is not available."""
    raise HTTPException(
        status.HTTP_503_SERVICE_UNAVAILABLE,
        "This version of Airflow authorizes plugins in an unknown way. Upgrade airflow-provider-elementary.",
    )
