"""What Airflow knows of the task that takes snapshots is found in its database."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_elementary.plugins.attempts import find_attempts
from tests.support.dag_runs import run_parsed_dag

pytestmark = pytest.mark.dag

DAG_FILE = """
from datetime import datetime
from airflow.sdk import DAG, task

with DAG("attempts_of_a_sync", schedule=None, start_date=datetime(2026, 1, 1)):
    @task
    def snapshot():
        raise ValueError("a sync that fails")

    snapshot()
"""


def test_failed_runs_of_the_task_are_counted(airflow_db: None, tmp_path: Path) -> None:
    (tmp_path / "attempts.py").write_text(DAG_FILE)
    assert run_parsed_dag(tmp_path, "attempts_of_a_sync", {}).state == "failed"

    found = find_attempts("attempts_of_a_sync", "snapshot")

    assert found is not None
    assert found.failed == 1
    assert found.last_failed_at is not None
    assert found.next_at is None


def test_a_dag_that_airflow_does_not_know_has_no_attempts(airflow_db: None) -> None:
    assert find_attempts("no_such_dag", "snapshot") is None
