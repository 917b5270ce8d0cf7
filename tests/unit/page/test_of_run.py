"""What a DAG run wrote: found by the key that its tasks write."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elementary.page.views.base import Request
from airflow_provider_elementary.page.views.of_run import is_of

KEY = "sync/scheduled__2026-11-28T06:00:00+00:00/group.take/-1"
RUN = {"dag_id": "sync", "run_id": "scheduled__2026-11-28T06:00:00+00:00"}


def asked(**values: str) -> Request:
    reader: Any = None
    return Request(reader, values)


@pytest.mark.parametrize(
    "values",
    [
        {"dag_id": "sync"},
        RUN,
        {**RUN, "task_id": "group.take"},
        {**RUN, "task_id": "group.take", "map_index": "-1"},
        # Airflow leaves the name of the parameter for a task that is not mapped.
        {**RUN, "task_id": "group.take", "map_index": "{MAP_INDEX}"},
        {"dag_id": "sync", "task_id": "group.take"},
    ],
)
def test_what_a_task_wrote_is_of_its_dag_its_run_and_itself(values: dict[str, str]) -> None:
    assert is_of(KEY, asked(**values))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"dag_id": "syn"},
        {"dag_id": "sync", "run_id": "scheduled__2026-11-28"},
        {**RUN, "task_id": "take"},
        {**RUN, "task_id": "group.take", "map_index": "0"},
    ],
)
def test_what_a_task_wrote_is_not_of_another_run_or_task(values: dict[str, str]) -> None:
    assert not is_of(KEY, asked(**values))


def test_the_id_of_a_run_may_hold_slashes() -> None:
    assert is_of("sync/a/b/c/take/3", asked(dag_id="sync", run_id="a/b/c", task_id="take", map_index="3"))


@pytest.mark.parametrize("key", ["", "command 0123", "sync"])
def test_what_no_task_wrote_is_of_no_run(key: str) -> None:
    assert not is_of(key, asked(**RUN))
