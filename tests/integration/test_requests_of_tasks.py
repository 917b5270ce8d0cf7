"""Requests of the hourly metrics and anomalies tasks, weeks after the first sync and hours after the last full one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.elementary.configured_tests import TESTS
from airflow_provider_elementary.incidents.evaluate import (
    EvaluationOptions,
    dbt_conditions_of,
    evaluate_and_store,
    open_metrics,
)
from airflow_provider_elementary.incidents.store import update_incidents
from airflow_provider_elementary.incidents.store_summary import write_summary
from airflow_provider_elementary.metrics.by_day import update_metrics
from airflow_provider_elementary.metrics.removed_snapshots import removed_snapshots
from airflow_provider_elementary.snapshots import LocalKeys, Repository
from airflow_provider_elementary.snapshots.maintenance.compaction import compact
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.storage.kept_files import KeptFiles
from airflow_provider_elementary.storage.layout import KEPT, kept_key
from airflow_provider_elementary.storage.records.results import (
    anchor_result,
    newest_result,
    read_result,
    recorded_result,
)
from tests.benchmarks import hourly
from tests.support.counting_store import CountingStore
from tests.support.signing import create, opened
from tests.support.syncs import CountedKeys, Sync

#: Its days, its weeks and the month before are in files of their own.
DAYS = 24
END = datetime(2026, 11, 28)
#: Maintenance merges nine increments: so there are runs before it and after it.
HOURS = 12
#: The most that a task asks for; the anomalies task for verdicts, incidents and the page's summary together.
MOST = {"metrics": 35, "elementary": 46, "robust": 59}
#: The same of an hour with rows that come late for as many days.
MOST_LATE = {"metrics": 45, "elementary": 48, "robust": 60}
#: The same of the metrics task with a year of history, in which rows come late for :data:`~hourly.LATE` days.
MOST_OF_A_YEAR = 50
LATE = (2, 4, 6, 9, 12, 16, 20)


@dataclass
class Hours:
    """A store that a project is synced to, and what the tasks of the run before returned."""

    folder: Path
    now: datetime = END

    def __post_init__(self) -> None:
        self.keys = LocalKeys(dict.fromkeys(LocalKeys.generate(), base64.b64encode(bytes(32)).decode()))
        self.store = CountingStore()
        self.anchors: dict[str, dict[str, Any]] = {}
        self.metrics = ""
        self.counted: list[dict[str, int]] = []
        create(self.store)
        hourly._create(self.folder)

    def sync(self, begin: datetime, hours: int, late: Sequence[int] = ()) -> None:
        """Write what dbt writes in some hours, and what comes late for some days before, and take a snapshot."""
        hourly._write(self.folder, begin, hours, rows=240)
        for days in late:
            hourly.write_late(self.folder, begin, days)
        self.now = begin + timedelta(hours=hours)
        Sync(self.folder / "warehouse.duckdb", self.store, CountedKeys(self.keys)).snapshot()

    def run(self) -> dict[str, int]:
        """Run the tasks after a sync, and maintain the store; return the requests of each task."""
        found = {"metrics": self.compute(), "elementary": self.score("elementary"), "robust": self.score("robust")}
        compact(opened(self.store, self.keys))
        return found

    def opened(self) -> Repository:
        """Return the repository as a task opens it, with nothing counted."""
        repository = opened(self.store, self.keys)
        self.store.reset()
        return repository

    def compute(self) -> int:
        """Run the metrics task; return its requests."""
        repository = self.opened()
        with repository.one_task("dag/metrics/-1"):
            self._compute(repository)
        return self.store.total

    def _compute(self, repository: Repository) -> None:
        run, before = f"{self.now}", self.anchors.setdefault("metrics", {})
        source = repository.source()
        source = SnapshotSource(repository, replace(source.manifest, created_at=self.now.isoformat()), repository.kept)
        known, _ = recorded_result(repository, "metrics", "", before.get("anchor"))
        removed_snapshots(repository, source, run)
        origin = {"snapshot_id": source.manifest.snapshot_id}
        result = update_metrics(repository, source, run_key=run, origin=origin, known=known, tests=TESTS)
        before["anchor"], self.metrics = anchor_result(repository, result), result.key

    def score(self, method: Any) -> int:
        """Run the anomalies task: verdicts, incidents and the page's summary; return its requests."""
        repository = self.opened()
        with repository.one_task(f"dag/{method}/-1"):
            self._score(repository, method)
        return self.store.total

    def _score(self, repository: Repository, method: Any) -> None:
        run, before = f"{self.now}/{method}", self.anchors.setdefault(method, {})
        options = EvaluationOptions(method=method)
        rows, lineage, origin, configurations = open_metrics(repository, self.metrics, options)
        common: dict[str, Any] = {"series": f"dag/{method}", "run_key": run, "origin": origin}
        of_dbt = dbt_conditions_of(repository, **common)
        found = evaluate_and_store(
            repository, rows, lineage, options, **common, configurations=configurations, before=before
        )
        tracked = update_incidents(
            repository, found.verdicts, lineage, of_dbt, **common, anchor=before.get("incidents_anchor")
        )
        assert write_summary(repository, tracked, found.verdicts, [found.result], run_key=run, origin=origin)
        self.anchors[method] = {**found.anchors, "incidents_anchor": tracked.anchor}


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Hours:
    """Return the store after weeks of history and some hourly runs."""
    found = Hours(tmp_path_factory.mktemp("hours"))
    found.sync(END - timedelta(days=DAYS), DAYS * 24)
    found.run()
    for hour in range(HOURS):
        found.sync(END + timedelta(hours=hour), 1)
        found.counted.append(found.run())
    return found


@pytest.mark.parametrize("task", MOST)
def test_an_hourly_task_asks_for_few_objects(hours: Hours, task: str) -> None:
    assert max(counted[task] for counted in hours.counted) <= MOST[task]


@pytest.fixture(scope="module")
def late_hours(hours: Hours) -> list[dict[str, int]]:
    """Return the requests of two hours with late rows, the first ones of the store."""
    found = []
    for hour in (HOURS, HOURS + 1):
        hours.sync(END + timedelta(hours=hour), 1, LATE)
        found.append(hours.run())
    return found


@pytest.mark.parametrize("task", MOST_LATE)
def test_an_hour_with_late_rows_asks_for_few_objects(late_hours: list[dict[str, int]], task: str) -> None:
    assert max(counted[task] for counted in late_hours) <= MOST_LATE[task]


def junk(content: bytes) -> bytes:
    """Return what was kept with every file in the place of the one before it."""
    kept = KeptFiles(content)
    digests = list(kept._found)
    kept._content = dict(zip(digests, [*list(kept._found.values())[1:], b""], strict=True))
    return kept.stored()


@pytest.mark.parametrize("forge", [junk, lambda content: content[: len(content) // 2], lambda _: b"junk"])
def test_a_task_believes_nothing_of_what_was_kept(hours: Hours, forge: Callable[[bytes], bytes]) -> None:
    hours.score("robust")
    before = verdicts(hours)
    name = kept_key("dag/robust/-1")
    hours.store.put(name, forge(hours.store.objects[name]))

    hours.now += timedelta(minutes=1)
    hours.score("robust")

    assert verdicts(hours) == before
    assert before.num_rows


def verdicts(hours: Hours) -> pa.Table:
    repository = opened(hours.store, hours.keys)
    result = newest_result(repository, "verdicts", "")
    assert result is not None
    with read_result(repository, result.key) as rows:
        keys = ("full_table_name", "column_name", "metric_name", "bucket_end")
        return rows.read_all().sort_by([(name, "ascending") for name in keys])


def test_a_task_fetches_no_small_file_of_the_snapshot_twice(hours: Hours, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    get_range = hours.store.get_range

    def noted(key: str, start: int, length: int) -> bytes:
        asked.append(key)
        return get_range(key, start, length)

    monkeypatch.setattr(hours.store, "get_range", noted)
    hours.store.delete_many([found.key for found in hours.store.list(KEPT)])
    hours.score("elementary")

    of_snapshot = [key for key in asked if key.startswith("data/")]
    assert len(of_snapshot) > HOURS
    assert len(of_snapshot) == len(set(of_snapshot))


def test_late_rows_of_a_year_cost_the_metrics_task_few_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hourly, "_TABLES", 3)
    store = Hours(tmp_path)
    store.sync(END - timedelta(days=365), 365 * 24)
    store.compute()
    for hour in (0, 1):
        store.sync(END + timedelta(hours=hour), 1, hourly.LATE)
        assert store.compute() <= MOST_OF_A_YEAR
