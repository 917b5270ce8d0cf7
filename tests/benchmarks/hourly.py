"""The hourly metrics task by the days of history: seconds of CPU, requests and bytes read, and from scratch.

``python -m tests.benchmarks hourly [--days 1 30 365] [--rows 7200]`` prints the table: of a store with that many days
of collected monitors and of runs, the first metrics task, and the one after a snapshot that adds one hour. Each
measurement is a process of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
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
    print("| days | rows | first run, CPU s | one hour, CPU s | requests | MB read |")
    print("|---|---|---|---|---|---|")
    for days in given.days:
        found = in_own_process("tests.benchmarks.hourly", [str(days), str(given.rows)]).facts
        print(
            f"| {days} | {days * given.rows:,} | {found['first']:.1f} | {found['hourly']:.1f} | {found['requests']} "
            f"| {found['read'] / 1e6:.1f} |",
            flush=True,
        )


def _measure_one(days: int, rows: int) -> None:
    import logging
    import tempfile
    import time
    from dataclasses import replace
    from pathlib import Path

    import duckdb

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

        def update(moment: datetime) -> float:
            repository = Repository(store, keys, store_id=STORE_ID, signing=SIGNER)
            began = time.process_time()
            Counted.requests = Counted.read = 0
            source = repository.source()
            source = SnapshotSource(repository, replace(source.manifest, created_at=moment.isoformat()))
            update_metrics(repository, source, run_key=f"{moment}", origin={})
            return time.process_time() - began

        def work() -> dict[str, Any]:
            first = update(_END)
            _write(path, _END, 1, rows)
            sync.snapshot()
            hourly = update(_END + timedelta(hours=1))
            return {"first": first, "hourly": hourly, "requests": Counted.requests, "read": Counted.read}

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
