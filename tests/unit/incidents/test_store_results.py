"""Earlier results, saved with the incidents of a task and continued by its next run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.incidents import dbt_conditions, earlier_results
from airflow_provider_elementary.incidents.current import read_conditions_of
from airflow_provider_elementary.incidents.earlier_results import RESULT_COLUMNS, RESULT_TABLES, EarlierResults
from airflow_provider_elementary.incidents.enrich import enrich
from airflow_provider_elementary.incidents.evaluate import dbt_conditions_of
from airflow_provider_elementary.incidents.store import TrackedIncidents, update_incidents
from airflow_provider_elementary.incidents.store_results import load_earlier_results
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.layout import result_kind
from airflow_provider_elementary.storage.records.result_files import read_files
from airflow_provider_elementary.storage.records.results import all_results, find_result
from airflow_provider_elementary.times import utc_now
from tests.support.dbt_project import MONDAY, result, rows_table, run
from tests.support.stores import Rest, copied, local_rest, take

#: A sync takes nothing that is later than now.
FIRST = -84


class Task:
    """A warehouse, its store, and the task that updates incidents: day by day a model runs, and a test flaps."""

    def __init__(self, folder: Path, rest: Rest, run_key: str = "") -> None:
        self.warehouse, self.rest = folder / "warehouse.duckdb", rest
        self.late: list[dict[str, Any]] = []
        self.run_key = run_key

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
                {
                    **{"invocation_id": f"c{day}", "command": "build", "target_database": "people"},
                    **{"target_schema": "payroll", "created_at": MONDAY + timedelta(days=day, hours=3)},
                }
                for day in days
            ],
            "dbt_models": [
                {
                    **{"unique_id": "model.shop.orders", "name": "salaries", "alias": "salaries"},
                    **{"database_name": "people", "schema_name": "payroll", "generated_at": f"{at}"},
                }
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

    def stored(self, key: str) -> pa.Table:
        """Return what a run saved for the next one."""
        found = find_result(self.rest.repository, key)
        assert found is not None
        return pa.Table.from_batches(read_files(self.rest.repository, found, found.state_files))

    @property
    def continues(self) -> bool:
        """Whether the next run would continue with what the newest one saved."""
        repository = self.rest.repository
        return load_earlier_results(repository, repository.source(), "task", "next") is not None

    def prune(self, now: datetime, **category_days: int) -> list[bool]:
        """Prune, and return of the result of each run, the newest first, whether its file of dbt's results is there."""
        prune(self.rest.repository, Retention(category_days=category_days), now=now.replace(tzinfo=UTC))
        results = all_results(self.rest.repository, result_kind("incidents"))
        files = [file for _, found in sorted(results.items()) for file in found.state_files]
        return [self.rest.path(file.key).exists() for file in files]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A task that has run for some days; copy it before use."""
    folder = tmp_path_factory.mktemp("begun")
    found = Task(folder, local_rest(folder))
    for number in (8, 9, 10):
        found.day(number)
    return found


@pytest.fixture
def task(begun: Task, tmp_path: Path) -> Task:
    """Return a task that has run for some days."""
    return Task(tmp_path, copied(begun.rest, tmp_path), begun.run_key)


def test_a_run_continues_with_what_the_run_before_saved(task: Task) -> None:
    assert task.continues

    tracked = task.day(11)

    stored = find_result(task.rest.repository, tracked.key)
    assert stored is not None
    # Of the days before, each first, newest and bad result and the next one are there.
    assert [file.rows for file in stored.state_files] < [11 * 2]
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
    before = load_earlier_results(repository, repository.source(), "task", "next")
    newest = max(task.rest.folder.rglob("*run_results*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    assert before is not None

    newest.write_bytes(content)

    assert not task.continues
    assert "reading all results of dbt, as those that the run before saved cannot be read" in caplog.text
    task.day(11)
    assert task.continues


@pytest.mark.parametrize("is_of_columns", [True, False])
def test_what_another_version_saved_has_all_read_again(
    task: Task, is_of_columns: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    columns = {**RESULT_COLUMNS, "dbt_run_results": (*RESULT_COLUMNS["dbt_run_results"], "message")}
    if is_of_columns:
        monkeypatch.setattr(dbt_conditions, "RESULT_COLUMNS", columns)
        monkeypatch.setattr(earlier_results, "RESULT_COLUMNS", columns)
    else:
        monkeypatch.setattr(earlier_results, "__version__", "another")

    assert not task.continues
    assert "another version of this package saved those of the run before" in caplog.text
    task.day(11)
    assert task.continues


@pytest.mark.parametrize("is_missing", [True, False])
def test_saved_columns_that_do_not_fit_have_all_read_again(
    task: Task, is_missing: bool, caplog: pytest.LogCaptureFixture
) -> None:
    whole = EarlierResults.to_table

    def damaged(earlier: EarlierResults) -> pa.Table:
        found = whole(earlier)
        place = found.schema.get_field_index("test_name")
        texts = pa.array([b"\xff"] * found.num_rows, pa.binary())
        return found.drop_columns("test_name") if is_missing else found.set_column(place, "test_name", texts)

    with patch.object(EarlierResults, "to_table", damaged):
        task.day(11)

    assert not task.continues
    assert "reading all results of dbt, as those that the run before saved cannot be read" in caplog.text
    task.day(12)
    assert task.continues


def test_saved_results_hold_nothing_of_another_category(task: Task) -> None:
    tracked = task.day(11)

    stored = task.stored(tracked.key)
    assert {*stored["part"].to_pylist()} <= {*RESULT_TABLES, "empty", "folded"}
    columns = {column.name: column.category for name in RESULT_TABLES for column in TABLES[name].columns}
    # Of what kind a result is, and a hash of the id of its execution.
    derived = {"part", "kind", "execution"}
    assert {columns[name] for name in {*stored.schema.names} - derived} == {Category.RUN_RESULTS}
    assert not any(word in f"{stored.to_pylist()}".lower() for word in ("people", "payroll", "salaries"))


def test_a_project_that_says_something_else_has_all_read_again(task: Task) -> None:
    held: list[bool] = []
    still_hold = EarlierResults.still_hold

    def noted(earlier: EarlierResults, *given: Any) -> bool:
        held.append(still_hold(earlier, *given))
        return held[-1]

    with patch.object(EarlierResults, "still_hold", noted):
        task.day(11)
        with patch.object(earlier_results, "_project", return_value="another"):
            task.day(12)

    assert held == [True, False]


def test_a_prune_keeps_results_of_dbt_only_with_the_two_newest_runs(task: Task) -> None:
    task.day(11)

    assert task.prune(utc_now()) == [True, True, False, False]

    assert task.continues
    assert verify(task.rest.repository, snapshot="all", decrypt=True).sound
    task.day(12)


def test_a_prune_removes_saved_results_with_the_category_of_their_snapshot(task: Task) -> None:
    taken_at = MONDAY + timedelta(days=FIRST + 10, hours=6)

    assert task.prune(taken_at + timedelta(days=6), run_results=7) == [True, True, False]
    assert task.prune(taken_at + timedelta(days=8), run_results=7) == [False] * 3

    assert not task.continues
    assert verify(task.rest.repository, snapshot="all", decrypt=True).sound


def test_a_prune_removes_saved_results_of_a_snapshot_that_was_pruned(task: Task) -> None:
    taken_at = MONDAY + timedelta(days=FIRST + 10, hours=6)
    for number in (11, 12):
        task.sync(number, full_every_days=0)

    prune(task.rest.repository, Retention(keep_last=1), now=utc_now().replace(tzinfo=UTC))
    # The file outlives the snapshot, for the next run may compare itself with it, and goes when it is too old.
    assert task.prune(taken_at + timedelta(days=6), run_results=7) == [True, True, False]
    assert task.prune(taken_at + timedelta(days=8), run_results=7) == [False] * 3
