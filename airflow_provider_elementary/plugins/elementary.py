"""Registers the Elementary page in Airflow's UI."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from threading import Lock, Thread
from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)


class LazyPage:
    """The page's ASGI application, built at the first request: every process of Airflow imports this module."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._app: FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        # In a thread: while another one builds it, this one waits for the lock.
        app = self._app if self._app is not None else await asyncio.to_thread(self._built)
        await app(scope, receive, send)

    def prepare(self) -> None:
        """Import the page's modules and compile its templates; without stores do nothing. No store is read."""
        from airflow_provider_elementary.hooks.store import configured_stores

        if configured_stores():
            self._built().state.prepare()

    def warm_up(self) -> None:
        """Import the page's modules and render the first view of the first store; without stores do nothing."""
        self._built().state.warm_up()

    def _built(self) -> FastAPI:
        with self._lock:
            if self._app is None:
                from airflow_provider_elementary.page.app import create_app
                from airflow_provider_elementary.plugins.attempts import find_attempts

                may_see_page, may_see_data = authorization()
                self._app = create_app(
                    may_see_page=may_see_page, may_see_data=may_see_data, find_attempts=find_attempts
                )
            return self._app


def authorization() -> tuple[Callable[..., object], Callable[..., object]]:
    """Return Airflow's dependencies for the page and its data; without them nobody may see anything."""
    try:
        from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
        from airflow.api_fastapi.core_api.security import requires_access_asset, requires_access_view
    except ImportError:
        from airflow_provider_elementary.page.app import refuse_everybody

        return refuse_everybody, refuse_everybody
    return requires_access_view(AccessView.PLUGINS), requires_access_asset("GET")


PAGE = LazyPage()


def warmed(server: ASGIApp) -> ASGIApp:
    """Prepare the page, start to warm it up in a thread, and return the server unchanged.

    Registered as a middleware, because Airflow creates those once in each worker process of the API server before it
    answers, and in no other process. Requests do not pass through it.
    """
    try:
        PAGE.prepare()
    except Exception:
        # The server does not depend on its page, which says what is wrong when it is opened.
        log.exception("preparing the Elementary page failed")
    Thread(target=PAGE.warm_up, name="elementary-page-warm-up", daemon=True).start()
    return server


_ICONS = {"icon": "elementary/icon.svg", "icon_dark_mode": "elementary/icon-dark.svg"}
#: What each tab asks for; Airflow fills the names in.
_TABS = {
    "dag": "dag_id={DAG_ID}",
    "dag_run": "dag_id={DAG_ID}&run_id={RUN_ID}",
    "task_instance": "dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}",
}


class ElementaryPlugin(AirflowPlugin):
    """The Elementary page in the navigation, and a tab on DAGs, DAG runs and task instances."""

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
            # No category, which would win. Airflow before 3.3 shows the entry where it shows those of plugins.
            "nav_top_level": True,
            **_ICONS,
        },
        *(
            {
                "name": "Elementary",
                "href": f"elementary/of-run?{values}",
                "url_route": f"elementary_{destination}",
                "destination": destination,
                **_ICONS,
            }
            for destination, values in _TABS.items()
        ),
    ]
