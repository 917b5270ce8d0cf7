"""The plugin that puts the Elementary page into Airflow's UI; every process of Airflow imports it, so it is light."""

from __future__ import annotations

from threading import Lock, Thread
from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send


class LazyPage:
    """The page's ASGI application, built when it is first needed: only the API server ever makes one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._app: FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._built()(scope, receive, send)

    def warm_up(self) -> None:
        """Import what the page reads with, and read the newest of the first store; without stores, do nothing."""
        self._built().state.warm_up()

    def _built(self) -> FastAPI:
        with self._lock:
            if self._app is None:
                from airflow_provider_elementary.page.app import create_app

                self._app = create_app()
            return self._app


PAGE = LazyPage()


def warmed(server: ASGIApp) -> ASGIApp:
    """Begin to warm the page up beside the start of the API server, and return the server as it is.

    It stands where Airflow expects a middleware: those are made once, when the API server starts, in each of its worker
    processes, and nowhere else. A request passes through nothing.
    """
    Thread(target=PAGE.warm_up, name="elementary-page-warm-up", daemon=True).start()
    return server


class ElementaryPlugin(AirflowPlugin):
    """The Elementary page, under Browse."""

    name = "elementary"
    fastapi_apps = [{"app": PAGE, "url_prefix": "/elementary", "name": "Elementary"}]  # noqa: RUF012
    fastapi_root_middlewares = [{"middleware": warmed, "name": "Elementary: warm-up"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Elementary",
            # Without a slash in front it resolves below [api] base_url, wherever that is.
            "href": "elementary/",
            "url_route": "elementary",
            "destination": "nav",
            "category": "browse",
        }
    ]
