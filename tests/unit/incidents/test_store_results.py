"""Earlier results, saved with the incidents of a task and continued by its next run."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.incidents.current import read_conditions_of
from airflow_provider_elementary.incidents.enrich import enrich
from airflow_provider_elementary.incidents.evaluate import dbt_conditions_of
from airflow_provider_elementary.incidents.store import TrackedIncidents, update_incidents
from airflow_provider_elementary.incidents.store_results import load_earlier_results
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.storage.records.result_document import STATE
from airflow_provider_elementary.storage.records.results import find_result
from tests.support.dbt_project import MONDAY, result, rows_table, run
from tests.support.stores import local_rest, take

#: A sync takes nothing that is later than now.
FIRST = -84


class Task:
    """A warehouse, its store, and the task that updates incidents: day by day a model runs, and a test flaps."""

    def __init__(self, folder: Path) -> None:
        self.warehouse, self.rest = folder / "warehouse.duckdb", local_rest(folder)
        self.late: list[dict[str, Any]] = []
        self.run_key = ""

    def day(self, number: int) -> TrackedIncidents:
        """Take a snapshot after a number of days and run the task."""
        self.sync(number)
        return self.look(MONDAY + timedelta(days=FIRST + number, hours=6))

    def sync(self, number: int, **options: Any) -> None:
        at = MONDAY + timedelta(days=FIRST + number, hours=6)
        days = [FIRST + day for day in range(number)]
        rows: dict[str, list[dict[str, Any]]] = {
            "dbt_run_results": [{**run(day), "resource_type": "model", "invocation_id": f"c{day}"} for day in days],
            "elementary_test_results": [
                *(result(day, "fail" if day % 5 == 0 else "pass", invocation_id=f"c{day}") for day in days),
                *self.late,
            ],
            "dbt_invocations": [
                {"invocation_id": f"c{day}", "command": "build", "created_at": MONDAY + timedelta(days=day, hours=3)}
                for day in days
            ],
        }
        world = {name: rows_table(name, rows.get(name, [])) for name in TABLES}
        with patch("airflow_provider_elementary.snapshots.capture.utc_now", return_value=at):
            take(self.rest, self.warehouse, world, run_key=str(number), **options)
        self.run_key = str(number)

    def look(self, at: datetime) -> TrackedIncidents:
        repository = self.rest.repository
        origin = {"snapshot_id": repository.latest().snapshot_id}
        with compute_metrics(repository.source()) as metrics:
            verdicts = enrich(score_recent(metrics, method="elementary", days=2, parameters={}).verdicts, Lineage())
        facts: Any = {"series": "task", "run_key": self.run_key, "origin": origin}
        of_dbt = dbt_conditions_of(repository, **facts)
        assert of_dbt is not None
        assert of_dbt.conditions == read_conditions_of(repository.source()).conditions
        return update_incidents(repository, verdicts, Lineage(), of_dbt, **facts, now=at)

    @property
    def continues(self) -> bool:
        """Whether the next run would continue with what the newest one saved."""
        repository = self.rest.repository
        return load_earlier_results(repository, repository.latest(), "task", "next") is not None


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """Return a task that has run for some days."""
    found = Task(tmp_path)
    for number in (8, 9, 10):
        found.day(number)
    return found


def test_a_run_continues_with_what_the_run_before_saved(task: Task) -> None:
    assert task.continues

    tracked = task.day(11)

    stored = find_result(task.rest.repository, tracked.key)
    assert stored is not None
    # Of the days before, each first, newest and bad result and the next one are there.
    assert [file.rows for file in stored.files if file.category == STATE] < [11 * 2]
    assert stored.parameters["results"]["until"] > f"{MONDAY + timedelta(days=FIRST + 6)}"


def test_a_result_that_came_late_has_all_read_again(task: Task) -> None:
    task.late.append(result(FIRST + 2, "error", hour=1, test="unique", invocation_id="late"))

    tracked = task.day(11)

    assert {each.cause.subject for each in tracked.incidents} >= {"unique"}
    assert task.continues


def test_a_full_snapshot_has_all_read_again(task: Task) -> None:
    task.sync(11, full_every_days=0)

    assert not task.continues
    task.day(12)
    assert task.continues


@pytest.mark.parametrize("content", [b"", b"no file"])
def test_what_cannot_be_read_has_all_read_again(task: Task, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    repository = task.rest.repository
    before = load_earlier_results(repository, repository.latest(), "task", "next")
    newest = max(task.rest.folder.rglob("*run_results*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    assert before is not None

    newest.write_bytes(content)

    assert not task.continues
    assert "reading all results of dbt, as those that the run before saved cannot be read" in caplog.text
    task.day(11)
    assert task.continues
