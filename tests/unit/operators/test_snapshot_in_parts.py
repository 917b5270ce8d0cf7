"""The group of a snapshot in parts hands each of its tasks the arguments that it uses."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_elementary.operators.snapshot_in_parts import elementary_snapshot_group


@pytest.fixture
def tasks() -> dict[str, Any]:
    with DAG("in_parts", schedule=None) as dag:
        elementary_snapshot_group(
            elementary_conn_id="reader",
            failed_rows_per_test=0,
            retries=3,
            capture_args={"queue": "large", "retries": 5, "max_active_tis_per_dagrun": 2},
        )
    return {name.removeprefix("snapshot."): task for name, task in dag.task_dict.items()}


def test_capture_args_are_those_of_the_parts_alone(tasks: dict[str, Any]) -> None:
    captured = tasks["capture"].partial_kwargs

    assert (captured["queue"], captured["retries"], captured["max_active_tis_per_dagrun"]) == ("large", 5, 2)
    assert {(tasks[name].queue, tasks[name].retries) for name in ("plan", "commit")} == {("default", 3)}


def test_the_policy_is_for_plan_and_commit_and_the_connection_for_every_task(tasks: dict[str, Any]) -> None:
    captured = tasks["capture"].partial_kwargs

    assert "failed_rows_per_test" not in captured
    assert [tasks[name].failed_rows_per_test for name in ("plan", "commit")] == [0, 0]
    assert {captured["elementary_conn_id"], *(tasks[name].elementary_conn_id for name in ("plan", "commit"))} == {
        "reader"
    }
