"""The hourly metrics and anomalies tasks by the days of history: seconds of CPU, requests, bytes read and memory.

``python -m tests.benchmarks hourly [--days 1 30 365] [--rows 7200]`` prints the table: of a store with that many days
of collected monitors and of runs, the first metrics task and the first anomalies task with the method ``robust``, and
both after a snapshot that adds one hour. Each measurement is a process of its own; its peak memory is that of all four.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.benchmarks.measure import in_own_process, measured

_TABLES = 100
_END = datetime(2026, 11, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks hourly", description=__doc__)
    parser.add_argument("--days", type=int, nargs="*", default=[1, 30, 365])
    parser.add_argument("--rows", type=int, default=7_200, help="collected monitors a day")
    given = parser.parse_args(arguments)
    print("| days | rows | task | first run, CPU s | one hour, CPU s | requests | MB read | peak MB |")
    print("|---|---|---|---|---|---|---|---|")
    for days in given.days:
        measured_one = in_own_process("tests.benchmarks.hourly", [str(days), str(given.rows)])
        for task, found in measured_one.facts.items():
            print(
                f"| {days} | {days * given.rows:,} | {task} | {found['first']:.1f} | {found['hourly']:.1f} "
                f"| {found['requests']} | {found['read'] / 1e6:.1f} | {measured_one.peak_mb:.0f} |",
                flush=True,
            )


def _measure_one(days: int, rows: int) -> None:
    import logging
    import tempfile
    import time
    from dataclasses import replace
    from functools import partial
    from pathlib import Path

    import duckdb

    from airflow_provider_elementary.incidents.evaluate import EvaluationOptions, evaluate_and_store, open_metrics
    from airflow_provider_elementary.metrics.by_day import update_metrics
    from airflow_provider_elementary.snapshots import LocalKeys, Repository
    from airflow_provider_elementary.snapshots.reader import SnapshotSource
    from airflow_provider_elementary.storage.object_store.local import LocalStore
    from tests.support.datasets import create_table
    from tests.support.signing import SIGNER, STORE_ID, create
    from tests.support.syncs import CountedKeys, Sync

    logging.disable(logging.WARNING)

    class Counted(LocalStore):
        """A local store that counts what a bucket would be asked for."""

        requests = read = 0

        def get_range(self, *arguments: Any) -> bytes:
            content = super().get_range(*arguments)
            Counted.requests, Counted.read = Counted.requests + 1, Counted.read + len(content)
            return content

        def get_capped(self, *arguments: Any) -> Any:
            Counted.requests += 1
            return super().get_capped(*arguments)

        def list(self, *arguments: Any) -> Any:
            Counted.requests += 1
            return super().list(*arguments)

        def create(self, *arguments: Any) -> Any:
            Counted.requests += 1
            return super().create(*arguments)

        def put_if_absent(self, *arguments: Any) -> Any:
            Counted.requests += 1
            return super().put_if_absent(*arguments)

    with tempfile.TemporaryDirectory() as folder:
        path, keys = Path(folder) / "warehouse.duckdb", CountedKeys(LocalKeys(LocalKeys.generate()))
        store = Counted(Path(folder) / "store")
        create(store)
        sync = Sync(path, store, keys)
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE SCHEMA elementary; USE elementary")
            for name in ("dbt_models", "dbt_invocations", "dbt_run_results", "data_monitoring_metrics"):
                connection.execute(create_table("duckdb", name, f"elementary.{name}"))
            connection.execute(
                "INSERT INTO dbt_models (unique_id, alias, database_name, schema_name) "
                f"SELECT 'model.' || t, 't' || t, 'shop', 'core' FROM range({_TABLES}) r(t)"
            )
        _write(path, _END - timedelta(days=days), days * 24, rows)
        sync.snapshot()

        def metrics(moment: datetime) -> str:
            repository = Repository(store, keys, store_id=STORE_ID, signing=SIGNER)
            source = repository.source()
            source = SnapshotSource(repository, replace(source.manifest, created_at=moment.isoformat()))
            origin = {"snapshot_id": source.manifest.snapshot_id}
            return update_metrics(repository, source, run_key=f"{moment}", origin=origin).key

        def anomalies(moment: datetime, key: str) -> None:
            repository = Repository(store, keys, store_id=STORE_ID, signing=SIGNER)
            options = EvaluationOptions(method="robust")
            found, lineage, origin, configurations = open_metrics(repository, key, options)
            given = {"series": "dag/task", "run_key": f"{moment}", "origin": origin, "configurations": configurations}
            evaluate_and_store(repository, found, lineage, options, **given)

        def cost(task: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
            Counted.requests = Counted.read = 0
            began = time.process_time()
            returned = task()
            cpu = time.process_time() - began
            return returned, {"hourly": cpu, "requests": Counted.requests, "read": Counted.read}

        def run(moment: datetime) -> dict[str, dict[str, Any]]:
            key, of_metrics = cost(partial(metrics, moment))
            _, of_anomalies = cost(partial(anomalies, moment, key))
            return {"metrics": of_metrics, "anomalies, robust": of_anomalies}

        def work() -> dict[str, Any]:
            first = run(_END)
            _write(path, _END, 1, rows)
            sync.snapshot()
            hourly = run(_END + timedelta(hours=1))
            return {task: {**facts, "first": first[task]["hourly"]} for task, facts in hourly.items()}

        measured(work)


def _write(path: Any, begin: datetime, hours: int, rows: int) -> None:
    """Write runs of some hours, and what their tests collected."""
    import duckdb

    moment = f"TIMESTAMP '{begin}' + INTERVAL (h) HOUR"
    with duckdb.connect(str(path)) as connection:
        connection.execute("USE elementary")
        connection.execute(
            "INSERT INTO dbt_run_results (model_execution_id, unique_id, invocation_id, generated_at, created_at, "
            "status, execution_time, rows_affected) "
            f"SELECT '{begin}' || h || '.' || t, 'model.' || t, '{begin}' || h, "
            f"strftime({moment}, '%Y-%m-%d %H:%M:%S'), {moment}, 'success', 1.0 + t, t "
            f"FROM range({hours}) a(h), range({_TABLES}) r(t)"
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


if __name__ == "__main__":
    _measure_one(int(sys.argv[1]), int(sys.argv[2]))
