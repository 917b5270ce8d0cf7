"""The sensor: what it returns, what it defers to, and how it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_elementary.exceptions import WarehouseError
from airflow_provider_elementary.sensors.invocation import ElementaryInvocationSensor
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world

LAST = "00000000-0000-4000-8000-000000000002"


@pytest.fixture(autouse=True)
def warehouse(tmp_path: Path, airflow_connection: Callable[[str, Mapping[str, object]], str]) -> Path:
    """A DuckDB file with three days of dbt runs, and the connection ``elementary_default`` to it."""
    path = write_duckdb(small_world(days=3), tmp_path / "shop.duckdb")
    airflow_connection("elementary_default", {"conn_type": "duckdb", "host": str(path)})
    return path


def sensor(**arguments: Any) -> ElementaryInvocationSensor:
    return ElementaryInvocationSensor(task_id="wait_for_dbt", poke_interval=0.05, **arguments)


def run(interval_start: datetime | None, run_after: datetime) -> Any:
    return {"dag_run": SimpleNamespace(data_interval_start=interval_start, run_after=run_after)}


EVENING = run(None, datetime(2026, 10, 31, 20, tzinfo=UTC))
MORNING = run(None, datetime(2026, 10, 31, 1, tzinfo=UTC))


def test_it_returns_the_invocation_without_its_vars() -> None:
    found = sensor(deferrable=False).execute(MORNING)

    assert found["invocation_id"] == LAST
    assert found["created_at"].startswith("2026-10-31T06:")
    assert found["run_completed_at"]
    assert not {"vars", "invocation_vars"} & found.keys()


def test_it_counts_from_the_start_of_the_data_interval_where_there_is_one() -> None:
    interval = run(datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))

    assert sensor().poke(interval).is_done


def test_it_counts_from_the_planned_time_of_a_run_without_a_data_interval() -> None:
    assert sensor().poke(MORNING).is_done
    assert not sensor().poke(EVENING).is_done


def test_since_overrides_the_run() -> None:
    assert sensor(since="2026-10-31").poke(EVENING).is_done


def test_a_deferrable_sensor_that_finds_it_at_once_does_not_defer() -> None:
    assert sensor(deferrable=True).execute(MORNING)["invocation_id"] == LAST


def test_a_deferrable_sensor_waits_in_the_triggerer_for_the_same_thing() -> None:
    waiting = sensor(deferrable=True, command="build", project_name="shop", timeout=60)

    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(EVENING)

    arguments = deferred.value.trigger.serialize()[1]
    assert arguments["since"] == "2026-10-31T20:00:00+00:00"
    assert (arguments["command"], arguments["project_name"]) == ("build", "shop")
    assert arguments["poll_interval"] == 0.05
    assert deferred.value.method_name == "execute_complete"
    assert deferred.value.timeout.total_seconds() == 60


def test_it_returns_what_the_trigger_found() -> None:
    event = {"status": "success", "invocation": {"invocation_id": LAST}}

    assert sensor().execute_complete({}, event) == {"invocation_id": LAST}


def test_it_fails_at_once_where_no_retry_helps() -> None:
    with pytest.raises(AirflowFailException, match="'nowhere' does not exist"):
        sensor(schema="nowhere").poke(MORNING)
    with pytest.raises(AirflowFailException, match="denied"):
        sensor().execute_complete({}, {"status": "error", "message": "denied", "permanent": True})


def test_it_leaves_a_retry_where_one_may_help() -> None:
    with pytest.raises(WarehouseError, match="unexpected"):
        sensor().execute_complete({}, {"status": "error", "message": "unexpected", "permanent": False})


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(AirflowFailException, match="'yesterday' is not a time"):
        sensor(since="yesterday").poke(MORNING)
