"""Random histories of what dbt and Elementary write, with a sync and a metrics task after each step."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from airflow_provider_elementary.anomalies.elementary.configured_tests import TESTS
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.metrics import METRICS_SCHEMA, compute_metrics
from airflow_provider_elementary.metrics.by_day import update_metrics
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, open_store
from airflow_provider_elementary.snapshots.maintenance.compaction import compact
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.source import arrow_schema
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.results import read_result
from tests.support.datasets import create_table
from tests.support.syncs import CountedKeys, Sync

Row = dict[str, Any]
#: The key of one metric of one bucket, and its value.
Metrics = dict[tuple[Any, ...], float | None]

BEGINNING = datetime(2026, 3, 2, 6)
MODELS = ("orders", "payments")
ORDERS = "SHOP.CORE.ORDERS"
#: Metrics of the present alone: what is computed from scratch knows no other day of them.
OF_THE_PRESENT = ("test_count", "test_coverage")
_HELD = (
    *("dbt_models", "dbt_tests", "dbt_sources", "dbt_columns", "dbt_invocations", "dbt_run_results"),
    *("elementary_test_results", "dbt_source_freshness_results", "schema_columns_snapshot", "data_monitoring_metrics"),
)


def table(name: str, rows: list[Row]) -> pa.Table:
    """Return rows of a table of the Elementary schema."""
    schema = arrow_schema(TABLES[name], [column.name for column in TABLES[name].columns])
    return pa.Table.from_pylist(rows, schema=schema)


@dataclass
class MetricHistory:
    """A warehouse, its store, and the metrics that were stored of each snapshot.

    :param folder: of the warehouse and the store.
    :param seed: of everything that happens.
    :param has_anomaly_tests: whether its runs have any.
    """

    folder: Path
    seed: int
    now: datetime = BEGINNING
    number: int = 0
    written: dict[str, list[Row]] = field(default_factory=dict)
    purged_until: datetime = datetime.min
    waiting: dict[str, list[Row]] = field(default_factory=dict)
    has_anomaly_tests: bool = False

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - no secret
        path = self.folder / "warehouse.duckdb"
        keys = CountedKeys(LocalKeys(LocalKeys.generate()))
        self.sync = Sync(path, open_store((self.folder / "store").as_uri()), keys)
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE SCHEMA elementary")
            for name in _HELD:
                connection.execute(create_table("duckdb", name, f'"elementary"."{name}"'))
        place = {"database_name": "shop", "schema_name": "core", "generated_at": "2026-01-01 00:00:00"}
        for model in MODELS:
            self.write("dbt_models", {"unique_id": f"model.{model}", "alias": model, **place})
            self.write("dbt_columns", {"parent_unique_id": f"model.{model}", "name": "id"})
            parent = {"parent_model_unique_id": f"model.{model}", "test_column_name": "id"}
            self.write("dbt_tests", {"unique_id": f"test.{model}", **parent, "quality_dimension": "uniqueness"})
        self.write("dbt_sources", {"unique_id": "source.raw", "identifier": "raw", **place})

    def copied(self, folder: Path) -> MetricHistory:
        """Return a history in another folder that continues from here."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        other = copy.copy(self)
        other.folder, other.random = folder, copy.deepcopy(self.random)
        other.written, other.waiting = copy.deepcopy(self.written), copy.deepcopy(self.waiting)
        store = open_store((folder / "store").as_uri())
        other.sync = Sync(folder / "warehouse.duckdb", store, self.sync.keys)
        return other

    def write(self, name: str, *rows: Row) -> None:
        """Insert rows, with those that wait for the next look at the warehouse."""
        self.waiting.setdefault(name, []).extend(rows)
        self.written.setdefault(name, []).extend(rows)

    def flush(self) -> None:
        """Insert the rows that wait: opening the warehouse takes longer than all of them."""
        with duckdb.connect(str(self.sync.path)) as connection:
            for name, rows in self.waiting.items():
                connection.register("incoming", table(name, rows))
                connection.execute(f'INSERT INTO elementary."{name}" SELECT * FROM incoming')
        self.waiting.clear()

    def a_run(self, happened: datetime | None = None) -> None:
        """Write what a dbt run writes; its rows may come long after it."""
        happened, self.number = happened or self.now, self.number + 1
        run, choose = f"run-{self.number}", self.random
        text = f"{happened:%Y-%m-%d %H:%M:%S}"
        common = {"invocation_id": run, "created_at": self.now, "generated_at": text}
        target = {"target_database": "shop", "target_schema": "core", "run_started_at": text}
        for model in MODELS:
            if choose.random() < 0.2:
                continue
            status = choose.choice(["success", "success", "error", "skipped"])
            facts = {"execution_time": choose.randint(1, 99) * 1.0, "rows_affected": choose.randint(0, 999)}
            node = {"model_execution_id": f"{run}.{model}", "unique_id": f"model.{model}", "status": status}
            self.write("dbt_run_results", {**common, **node, **facts})
            # Of unit tests Elementary has no result.
            unit = {"model_execution_id": f"{run}.unit.{model}", "unique_id": f"unit_test.{model}", "failures": 0}
            unit |= {"resource_type": "unit_test", "status": choose.choice(["pass", "fail"])}
            self.write("dbt_run_results", {**common, **unit})
            named = {"database_name": "shop", "schema_name": "core", "table_name": model}
            result = {"id": f"{run}.result.{model}", "test_execution_id": f"{run}.test.{model}", **named}
            result |= {"test_unique_id": f"test.{model}", "model_unique_id": f"model.{model}", "test_type": "dbt_test"}
            result |= {"status": choose.choice(["pass", "warn", "fail"]), "failures": choose.randint(0, 9)}
            moment = {"detected_at": happened, "created_at": self.now, "invocation_id": run}
            self.write("elementary_test_results", {**result, **moment})
            seen = {"full_table_name": f"SHOP.CORE.{model.upper()}", "detected_at": happened, "created_at": self.now}
            columns = ["id", *(name for name in ("amount", "note") if choose.random() < 0.8)]
            self.write(
                "schema_columns_snapshot",
                *({**seen, "column_state_id": f"{run}.{model}.{name}", "column_name": name} for name in columns),
            )
            for days in range(2):
                self.write("data_monitoring_metrics", self.bucket(model, happened - timedelta(days=days)))
        check = {"source_freshness_execution_id": f"{run}.raw", "unique_id": "source.raw", "status": "pass"}
        check |= {"max_loaded_at_time_ago_in_s": choose.randint(0, 9999) * 1.0}
        self.write("dbt_source_freshness_results", {**common, **check})
        self.write("dbt_invocations", {**common, **target, "project_name": choose.choice(["shop", "shop", "ci"])})
        if self.has_anomaly_tests:
            self.write_anomaly_tests(run, happened)

    def write_anomaly_tests(self, run: str, happened: datetime) -> None:
        """Write what anomaly tests of a run say, each with a configuration that changes now and then."""
        choose = random.Random(f"{self.seed} {run}")  # noqa: S311 - no secret
        for test in choose.sample(range(6), choose.randint(0, 6)):
            is_generic = test == 0
            params: Row = {"anomaly_sensitivity": choose.choice([2, 3]), "days_back": choose.choice([7, 14])}
            params |= {} if is_generic else {"anomaly_direction": "both"}
            if choose.random() < 0.5:
                params["time_bucket"] = {"period": "day", "count": choose.choice([1, 2])}
            place = {"database_name": "shop", "schema_name": "core", "table_name": MODELS[test % 2]}
            names = {"test_unique_id": f"test.anomalies.{test}", "invocation_id": run, "id": f"{run}.anomalies.{test}"}
            kind = {"test_type": "anomaly_detection", "test_sub_type": "generic" if is_generic else "row_count"}
            kind |= {"test_short_name": "dimension_anomalies" if is_generic else f"volume_anomalies_{test % 4}"}
            moment = {"detected_at": happened + timedelta(seconds=choose.randint(0, 3)), "created_at": self.now}
            result = {**place, **names, **kind, **moment, "status": "pass", "test_params": json.dumps(params)}
            self.write("elementary_test_results", result)

    def bucket(self, model: str, happened: datetime) -> Row:
        """Return a collected monitor of a day, with a value of its own."""
        end = datetime(happened.year, happened.month, happened.day)
        name = f"SHOP.CORE.{model.upper()}"
        column = self.random.choice([None, "id"])
        facts = {"bucket_start": end - timedelta(days=1), "bucket_end": end, "bucket_duration_hours": 24}
        metric = {"id": f"{model}.{column}.{end}", "full_table_name": name, "column_name": column, **facts}
        metric |= {"metric_name": "row_count" if column is None else "null_count", "created_at": self.now}
        return {**metric, "metric_value": self.random.randint(0, 999) * 1.0, "updated_at": self.now}

    def a_late_run(self) -> None:
        """Write a run of long ago now."""
        days = self.random.choice([1, 5, 20, 40, 60])
        self.a_run(max(BEGINNING, self.now - timedelta(days=days)))

    def rows_are_written_twice(self) -> None:
        """Insert rows again, some of them as if they were new."""
        for name in ("dbt_run_results", "elementary_test_results", "data_monitoring_metrics", "dbt_invocations"):
            rows = [row for row in self.written.get(name, ()) if row["created_at"] >= self.purged_until]
            for row in self.random.sample(rows, min(2, len(rows))):
                self.write(name, {**row, "created_at": self.now} if self.random.random() < 0.5 else row)

    def rows_are_corrected(self) -> None:
        """Insert rows of known ids with other values, that are newer."""
        changes: Mapping[str, Row] = {
            "dbt_run_results": {"status": "error", "execution_time": 500.0},
            "elementary_test_results": {"status": "fail"},
            "data_monitoring_metrics": {"metric_value": -1.0, "updated_at": self.now},
        }
        for name, change in changes.items():
            if rows := [row for row in self.written.get(name, ()) if row["created_at"] >= self.purged_until]:
                self.write(name, {**self.random.choice(rows), **change, "created_at": self.now})

    def old_rows_are_purged(self) -> None:
        """Delete what is older than some weeks, as a retention job does."""
        until = self.now - timedelta(days=self.random.choice([50, 60]))
        self.purged_until = max(self.purged_until, until)
        events = [name for name in _HELD if TABLES[name].watermark is not None]
        self.flush()
        self.sync.change(*(f"DELETE FROM {name} WHERE created_at < '{until}'" for name in events))

    def the_schema_is_refreshed(self) -> None:
        """Delete all events, as a full refresh of Elementary does."""
        events = [name for name in _HELD if TABLES[name].watermark is not None]
        self.flush()
        self.sync.change(*(f"DELETE FROM {name}" for name in events))
        self.written = {name: rows for name, rows in self.written.items() if name not in events}

    def snapshot(self, **options: Any) -> Manifest:
        """Take a snapshot; where there are enough small files, merge them now and then."""
        self.flush()
        manifest = self.sync.snapshot(**options)
        if self.random.random() < 0.3:
            compact(self.sync.repository)
        return manifest

    def source(self) -> SnapshotSource:
        """Open the newest snapshot, as if it had been taken at the time of the history."""
        source = self.sync.repository.source()
        return SnapshotSource(self.sync.repository, replace(source.manifest, created_at=self.now.isoformat()))

    def update(self) -> Result:
        """Run the metrics task."""
        self.number += 1
        source = self.source()
        origin = {"snapshot_id": source.manifest.snapshot_id}
        run_key = f"task-{self.number}"
        return update_metrics(self.sync.repository, source, run_key=run_key, origin=origin, tests=TESTS)

    def stored(self, result: Result) -> Metrics:
        """Return what the metrics task stored."""
        with read_result(self.sync.repository, result.key) as rows:
            return by_key(rows.read_all())

    def from_scratch(self) -> Metrics:
        """Return the metrics of the newest snapshot, computed as if there had been none before."""
        with compute_metrics(self.source()) as rows:
            return by_key(rows.read_all())


def by_key(rows: pa.Table) -> Metrics:
    """Return metrics by what identifies them; a key that occurs twice is an error."""
    names = [name for name in METRICS_SCHEMA.names if name != "metric_value"]
    found: Metrics = {}
    for row in rows.select(METRICS_SCHEMA.names).to_pylist():
        key = tuple(row[name] for name in names)
        assert key not in found, key
        found[key] = None if row["metric_value"] is None else round(row["metric_value"], 9)
    return found


def day_of(key: tuple[Any, ...]) -> datetime:
    """Return the day of a metric."""
    start: datetime = key[METRICS_SCHEMA.names.index("bucket_start")]
    return start


def name_of(key: tuple[Any, ...]) -> str:
    """Return the name of a metric."""
    return str(key[METRICS_SCHEMA.names.index("metric_name")])
