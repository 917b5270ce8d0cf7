"""The hourly tasks by the days of history: seconds of CPU, requests, bytes read and memory.

``python -m tests.benchmarks hourly [--days 1 30 365] [--rows 7200]`` prints the table: of a DuckDB warehouse with that
many days of collected monitors, of runs and of results of anomaly tests, the snapshot, the metrics and the anomalies by
both methods, with the incidents and the page's summary that are made from them; then all of them once more after one
more hour, and after an hour with rows that come late for each of ``--late`` days before. Each of them is a process of
its own, and its CPU seconds those after its imports. ``--requests`` lists what each task of these hours asked the store
for.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from tests.benchmarks.measure import Measurement, in_own_process, measured

_TABLES = 100
_END = datetime(2026, 11, 1)
_HELD = ("dbt_models", "dbt_invocations", "dbt_run_results", "elementary_test_results", "data_monitoring_metrics")
_PARAMS = (
    '{"anomaly_direction": "both", "anomaly_sensitivity": 3, "backfill_days": 2, "days_back": 14, '
    '"time_bucket": {"count": 1, "period": "hour"}, "timestamp_column": "updated_at"}'
)
_TASKS = ("snapshot", "metrics", "elementary", "robust")
#: How many days before the last hour rows are about that come late in it: of days, weeks and months that are stored.
LATE = (2, 4, 6, 9, 12, 16, 20, 27, 34, 45, 60, 90, 120, 200)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    import tempfile

    parser = argparse.ArgumentParser(prog="tests.benchmarks hourly", description=__doc__)
    parser.add_argument("--days", type=int, nargs="*", default=[1, 30, 365])
    parser.add_argument("--rows", type=int, default=7_200, help="collected monitors a day")
    parser.add_argument("--late", type=int, nargs="*", default=LATE, help="days before, of rows that come late")
    parser.add_argument("--requests", action="store_true", help="list what was asked for")
    given = parser.parse_args(arguments)
    hours = ("one hour", "late rows")
    print(
        "| days | rows | task | first run, CPU s | peak MB |"
        + "".join(f" {name}, CPU s | peak MB | requests | MB read | MB written |" for name in hours)
    )
    print("|---" * (5 + 5 * len(hours)) + "|")
    for days in given.days:
        with tempfile.TemporaryDirectory() as folder:
            _create(Path(folder))
            _write(Path(folder), _END - timedelta(days=days), days * 24, given.rows)
            first = _run(Path(folder), _END)
            _write(Path(folder), _END, 1, given.rows)
            runs = [_run(Path(folder), _END + timedelta(hours=1))]
            _write(Path(folder), _END + timedelta(hours=1), 1, given.rows)
            for before in given.late:
                write_late(Path(folder), _END + timedelta(hours=1), before)
            runs.append(_run(Path(folder), _END + timedelta(hours=2)))
        for task in _TASKS:
            line = f"| {days} | {days * given.rows:,} | {task} | {first[task].cpu:.1f} | {first[task].peak_mb:.0f} |"
            for found in (run[task] for run in runs):
                line += f" {found.cpu:.2f} | {found.peak_mb:.0f} | {sum(found.facts['requests'].values())} |"
                line += f" {found.facts['read'] / 1e6:.2f} | {found.facts['written'] / 1e6:.2f} |"
            print(line, flush=True)
        if given.requests:
            _print_requests([{task: run[task].facts["requests"] for task in _TASKS} for run in runs], hours)


def _print_requests(runs: Sequence[Mapping[str, Mapping[str, int]]], hours: Sequence[str]) -> None:
    """Print how often each task asked for each kind of object, in each hour."""
    columns = [(hour, task) for task in _TASKS for hour in range(len(hours))]
    print("| asked for |" + "".join(f" {task}, {hours[hour]} |" for hour, task in columns))
    print("|---" * (1 + len(columns)) + "|")
    for kind in sorted({kind for run in runs for found in run.values() for kind in found}):
        print(f"| {kind} |" + "".join(f" {runs[hour][task].get(kind, 0) or ''} |" for hour, task in columns))


def _run(folder: Path, moment: datetime) -> dict[str, Measurement]:
    """Run every task of an hour, each in its own process."""
    found: dict[str, Measurement] = {}
    for task in _TASKS:
        key = found["metrics"].facts["key"] if "metrics" in found else ""
        found[task] = in_own_process("tests.benchmarks.hourly", [str(folder), task, moment.isoformat(), key])
    return found


def _measure_one(folder: Path, task: str, moment: datetime, key: str) -> None:
    import base64
    import logging
    from dataclasses import replace

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
    from airflow_provider_elementary.snapshots import LocalKeys
    from airflow_provider_elementary.snapshots.reader import SnapshotSource
    from airflow_provider_elementary.storage.object_store.local import LocalStore
    from tests.support.signing import opened
    from tests.support.syncs import CountedKeys, Sync

    logging.disable(logging.WARNING)

    class Counted(LocalStore):
        """A local store that counts what a bucket would be asked for."""

        requests: ClassVar[Counter[str]] = Counter()
        read = written = 0

        def get_range(self, key: str, *arguments: Any) -> bytes:
            content = super().get_range(key, *arguments)
            Counted.requests[f"GET {_kind_of(key)}"] += 1
            Counted.read += len(content)
            return content

        def delete_many(self, keys: Sequence[str]) -> Any:
            before = Counter(Counted.requests)
            left = super().delete_many(keys)
            Counted.requests = before + Counter({f"DELETE {_kind_of(keys[0])}": 1}) if keys else before
            return left

        @contextmanager
        def create(self, key: str) -> Iterator[BinaryIO]:
            Counted.requests[f"PUT {_kind_of(key)}"] += 1
            with super().create(key) as target:
                yield target
            Counted.written += (folder / "store" / key).stat().st_size

    def once(name: str, verb: str) -> Callable[..., Any]:
        def method(self: Counted, key: str, *arguments: Any) -> Any:
            Counted.requests[f"{verb} {_kind_of(key)}"] += 1
            if verb == "PUT":
                Counted.written += len(arguments[0])
            return getattr(super(Counted, self), name)(key, *arguments)

        return method

    verbs = {"get_capped": "GET", "list": "LIST", "put_if_absent": "PUT", "put": "PUT", "delete": "DELETE"}
    for name, verb in verbs.items():
        setattr(Counted, name, once(name, verb))

    # The same keys in each process.
    keys = LocalKeys(dict.fromkeys(LocalKeys.generate(), base64.b64encode(bytes(32)).decode()))
    store = Counted(folder / "store")

    def snapshot() -> str:
        return Sync(folder / "warehouse.duckdb", store, CountedKeys(keys)).snapshot().snapshot_id

    def metrics() -> str:
        repository = opened(store, keys)
        with repository.one_task("dag/metrics"):
            source = repository.source()
            source = SnapshotSource(
                repository, replace(source.manifest, created_at=moment.isoformat()), repository.kept
            )
            origin = {"snapshot_id": source.manifest.snapshot_id}
            return update_metrics(repository, source, run_key=f"{moment}", origin=origin, tests=TESTS).key

    def anomalies() -> str:
        repository = opened(store, keys)
        options = EvaluationOptions(method="robust" if task == "robust" else "elementary")
        with repository.one_task(f"dag/{task}"):
            rows, lineage, origin, configurations = open_metrics(repository, key, options)
            given: dict[str, Any] = {"series": f"dag/{task}", "run_key": f"{moment}/{task}", "origin": origin}
            of_dbt = dbt_conditions_of(repository, **given)
            found = evaluate_and_store(repository, rows, lineage, options, **given, configurations=configurations)
            tracked = update_incidents(repository, found.verdicts, lineage, of_dbt, **given)
            del given["series"]
            write_summary(repository, tracked, found.verdicts, [found.result], **given)
        return key

    work: Callable[[], str] = {"snapshot": snapshot, "metrics": metrics}.get(task, anomalies)

    def counted() -> dict[str, Any]:
        Counted.requests.clear()
        Counted.read = Counted.written = 0
        key = work()
        return {"key": key, "requests": dict(Counted.requests), "read": Counted.read, "written": Counted.written}

    measured(counted)


def _kind_of(key: str) -> str:
    """Return what kind of object a name is of."""
    parts = [part for part in key.split("/")[:-1] if not re.fullmatch(r"[0-9a-f]{32}|.*[0-9]{8}T.*", part)]
    return "/".join([*parts, ""]) if parts else key


def _create(folder: Path) -> None:
    """Write a warehouse without history."""
    import duckdb

    from tests.support.datasets import create_table

    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("CREATE SCHEMA elementary; USE elementary")
        for name in _HELD:
            connection.execute(create_table("duckdb", name, f"elementary.{name}"))
        connection.execute(
            "INSERT INTO dbt_models (unique_id, alias, database_name, schema_name) "
            f"SELECT 'model.' || t, 't' || t, 'shop', 'core' FROM range({_TABLES}) r(t)"
        )


def _write(folder: Path, begin: datetime, hours: int, rows: int) -> None:
    """Write runs of some hours, and what their tests collected."""
    import duckdb

    moment = f"TIMESTAMP '{begin}' + INTERVAL (h) HOUR"
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("USE elementary")
        connection.execute(
            "INSERT INTO dbt_run_results (model_execution_id, unique_id, invocation_id, generated_at, created_at, "
            "status, execution_time, rows_affected) "
            f"SELECT '{begin}' || h || '.' || t, 'model.' || t, '{begin}' || h, "
            f"strftime({moment}, '%Y-%m-%d %H:%M:%S'), {moment}, 'success', 1.0 + t, t "
            f"FROM range({hours}) a(h), range({_TABLES}) r(t)"
        )
        connection.execute(
            "INSERT INTO elementary_test_results (id, test_execution_id, test_unique_id, model_unique_id, "
            "invocation_id, database_name, schema_name, table_name, detected_at, created_at, test_type, test_sub_type, "
            "test_short_name, test_params, status, severity) "
            f"SELECT '{begin}' || h || '.r' || t, '{begin}' || h || '.e' || t, 'test.' || t, 'model.' || t, "
            f"'{begin}' || h, 'shop', 'core', 't' || t, {moment}, {moment}, 'anomaly_detection', 'row_count', "
            f"'volume_anomalies', $params, 'pass', 'ERROR' FROM range({hours}) a(h), range({_TABLES}) r(t)",
            {"params": _PARAMS},
        )
        connection.execute(
            "INSERT INTO data_monitoring_metrics (id, full_table_name, column_name, metric_name, metric_value, "
            "bucket_start, bucket_end, bucket_duration_hours, updated_at, created_at) "
            f"SELECT '{begin}' || h || '.' || n, 'SHOP.CORE.T' || n % {_TABLES}, 'c' || n, 'null_count', n, "
            f"{moment} - INTERVAL 1 HOUR, {moment}, 1, {moment}, {moment} "
            f"FROM range({hours}) a(h), range({rows // 24}) r(n)"
        )
        connection.execute(
            "INSERT INTO dbt_invocations (invocation_id, created_at, generated_at, run_started_at) "
            f"SELECT '{begin}' || h, {moment}, strftime({moment}, '%Y-%m-%d %H:%M:%S'), "
            f"strftime({moment}, '%Y-%m-%d %H:%M:%S') FROM range({hours}) a(h)"
        )


def write_late(folder: Path, now: datetime, days: int, tables: int = 3) -> None:
    """Write what some tables' runs and monitors say of a time some days before."""
    import duckdb

    then = now - timedelta(days=days)
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("USE elementary")
        connection.execute(
            "INSERT INTO dbt_run_results (model_execution_id, unique_id, invocation_id, generated_at, created_at, "
            "status, execution_time, rows_affected) "
            f"SELECT 'late {then}.' || t, 'model.' || t, 'late {then}', '{then:%Y-%m-%d %H:%M:%S}', "
            f"TIMESTAMP '{now}', 'success', 7.0 + t, t FROM range({tables}) r(t)"
        )
        connection.execute(
            "INSERT INTO data_monitoring_metrics (id, full_table_name, column_name, metric_name, metric_value, "
            "bucket_start, bucket_end, bucket_duration_hours, updated_at, created_at) "
            f"SELECT 'late {then}.' || t, 'SHOP.CORE.T' || t, 'c' || t, 'null_count', 900 + t, TIMESTAMP '{then}' - "
            f"INTERVAL 1 HOUR, TIMESTAMP '{then}', 1, TIMESTAMP '{now}', TIMESTAMP '{now}' FROM range({tables}) r(t)"
        )


if __name__ == "__main__":
    _measure_one(Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3]), sys.argv[4])
