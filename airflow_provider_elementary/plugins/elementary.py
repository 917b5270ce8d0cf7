"""The plugin that puts the Elementary page into Airflow's UI; every process of Airflow imports it, so it is light."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class LazyPage:
    """The page's ASGI application, built at the first request: only the API server ever makes one."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._app is None:
            from airflow_provider_elementary.plugins.app import create_app

            self._app = create_app()
        await self._app(scope, receive, send)


class ElementaryPlugin(AirflowPlugin):
    """The Elementary page, under Browse."""

    name = "elementary"
    fastapi_apps = [{"app": LazyPage(), "url_prefix": "/elementary", "name": "Elementary"}]  # noqa: RUF012
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
