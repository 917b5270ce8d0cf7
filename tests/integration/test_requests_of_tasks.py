"""Requests of the hourly metrics and anomalies tasks, weeks after the first sync and hours after the last full one."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

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
from airflow_provider_elementary.storage.records.results import anchor_result, recorded_result
from tests.benchmarks import hourly
from tests.support.counting_store import CountingStore
from tests.support.signing import create, opened
from tests.support.syncs import CountedKeys, Sync

#: Its days, its weeks and the month before are in files of their own.
DAYS = 24
END = datetime(2026, 11, 28)
#: Maintenance merges six increments: there are no more of them.
HOURS = 5
#: The most that a task asks for: of metrics; of verdicts, and of the incidents and the page's summary made from them.
METRICS, VERDICTS, INCIDENTS = 60, 75, 30


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
        create(self.store)
        hourly._create(self.folder)

    def sync(self, begin: datetime, hours: int) -> None:
        """Write what dbt writes in some hours, take a snapshot, and maintain the store."""
        hourly._write(self.folder, begin, hours, rows=240)
        self.now = begin + timedelta(hours=hours)
        Sync(self.folder / "warehouse.duckdb", self.store, CountedKeys(self.keys)).snapshot()
        compact(opened(self.store, self.keys))

    def opened(self) -> Repository:
        """Return the repository as a task opens it, with nothing counted."""
        repository = opened(self.store, self.keys)
        self.store.reset()
        return repository

    def compute(self) -> int:
        """Run the metrics task; return its requests."""
        repository, run, before = self.opened(), f"{self.now}", self.anchors.setdefault("metrics", {})
        source = repository.source()
        source = SnapshotSource(repository, replace(source.manifest, created_at=self.now.isoformat()))
        known, _ = recorded_result(repository, "metrics", "", before.get("anchor"))
        removed_snapshots(repository, source, run)
        origin = {"snapshot_id": source.manifest.snapshot_id}
        result = update_metrics(repository, source, run_key=run, origin=origin, known=known)
        before["anchor"], self.metrics = anchor_result(repository, result), result.key
        return self.store.total

    def score(self, method: Any) -> tuple[int, int]:
        """Run the anomalies task; return the requests for the verdicts, and those for the incidents after them."""
        repository, run, before = self.opened(), f"{self.now}/{method}", self.anchors.setdefault(method, {})
        options = EvaluationOptions(method=method)
        rows, lineage, origin, configurations = open_metrics(repository, self.metrics, options)
        of_dbt = dbt_conditions_of(repository, origin)
        common: dict[str, Any] = {"series": f"dag/{method}", "run_key": run, "origin": origin}
        found = evaluate_and_store(
            repository, rows, lineage, options, **common, configurations=configurations, before=before
        )
        verdicts = self.store.total
        tracked = update_incidents(
            repository, found.verdicts, lineage, of_dbt, **common, anchor=before.get("incidents_anchor")
        )
        assert write_summary(repository, tracked, found.verdicts, [str(found.key)], run_key=run, origin=origin)
        self.anchors[method] = {**found.anchors, "incidents_anchor": tracked.anchor}
        return verdicts, self.store.total - verdicts


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Hours:
    """Return the store after weeks of history and some hourly syncs, each with its tasks."""
    found = Hours(tmp_path_factory.mktemp("hours"))
    found.sync(END - timedelta(days=DAYS), DAYS * 24)
    found.compute()
    for method in ("elementary", "robust"):
        found.score(method)
    for hour in range(HOURS):
        found.sync(END + timedelta(hours=hour), 1)
        assert found.compute() <= METRICS
    return found


@pytest.mark.parametrize("method", ["elementary", "robust"])
def test_an_hourly_anomalies_task_asks_for_few_objects(hours: Hours, method: str) -> None:
    verdicts, incidents = hours.score(method)

    assert verdicts <= VERDICTS
    assert incidents <= INCIDENTS


def test_a_task_fetches_no_small_file_of_the_snapshot_twice(hours: Hours, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    get_range = hours.store.get_range

    def noted(key: str, start: int, length: int) -> bytes:
        asked.append(key)
        return get_range(key, start, length)

    monkeypatch.setattr(hours.store, "get_range", noted)
    hours.score("elementary")

    of_snapshot = [key for key in asked if key.startswith("data/")]
    assert len(of_snapshot) > 2 * HOURS
    assert len(of_snapshot) == len(set(of_snapshot))
