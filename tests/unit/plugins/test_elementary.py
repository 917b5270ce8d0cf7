"""The plugin of the Elementary page."""

from __future__ import annotations

import asyncio
import sys
from threading import Event, Thread
from typing import Any

import pytest
from fastapi import HTTPException

from airflow_provider_elementary.page.app import refuse_everybody
from airflow_provider_elementary.page.rendering import TEMPLATES
from airflow_provider_elementary.plugins.elementary import ElementaryPlugin, LazyPage, authorization


@pytest.mark.parametrize(
    "module",
    ["airflow.api_fastapi.auth.managers.models.resource_details", "airflow.api_fastapi.core_api.security"],
)
def test_without_airflows_authorization_nobody_may_see_the_page(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    assert authorization() == (refuse_everybody, refuse_everybody)


def test_a_refused_request_is_answered_with_503() -> None:
    with pytest.raises(HTTPException) as refused:
        refuse_everybody()

    assert refused.value.status_code == 503


def test_the_page_is_in_the_navigation_and_a_tab_of_dags_runs_and_tasks() -> None:
    views = {view["destination"]: view for view in ElementaryPlugin.external_views}

    assert set(views) == {"nav", "dag", "dag_run", "task_instance"}
    assert len({view["url_route"] for view in views.values()}) == len(views)
    assert views["nav"]["nav_top_level"] is True
    assert "map_index={MAP_INDEX}" in str(views["task_instance"]["href"])


def test_the_icons_of_the_page_are_files_that_it_serves() -> None:
    icons = {view[name] for view in ElementaryPlugin.external_views for name in ("icon", "icon_dark_mode")}

    assert icons == {f"elementary/{path.name}" for path in TEMPLATES.glob("icon*.svg")}


def test_a_request_that_waits_for_the_page_to_be_built_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    page, other = LazyPage(), Event()
    served: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        served.append(True)

    async def two_requests() -> bool:
        anything: Any = None
        first = asyncio.create_task(page(anything, anything, anything))
        await asyncio.sleep(0)
        in_time = page._lock.locked()
        other.set()
        await first
        return in_time

    def build() -> None:
        # A loop that waits for the lock sets nothing.
        other.wait(5)
        page._lock.release()

    monkeypatch.setattr("airflow_provider_elementary.page.app.create_app", lambda **_: app)
    page._lock.acquire()
    builder = Thread(target=build)
    builder.start()

    assert asyncio.run(two_requests())
    assert served == [True]
    builder.join()
