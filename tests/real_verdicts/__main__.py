"""Make the verdicts again: ``LIBFAKETIME=/path/to/libfaketime.so.1 python -m tests.real_verdicts``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.source import arrow_schema
from tests.real_verdicts import PARQUET

_PROJECT = Path(__file__).parent / "project"
_MODELS = ["--select", "visits", "history", "quiet", "tuned", "shared"]
_TESTS = ["test", "--exclude", "package:elementary"]
#: When each command starts, by the clock that dbt and DuckDB see.
_DAYS = (
    ("2026-03-08 06:00:00", ["run"]),
    ("2026-03-08 06:30:00", _TESTS),
    ("2026-03-09 07:00:00", ["run", *_MODELS]),
    ("2026-03-09 07:10:00", _TESTS),
    ("2026-03-10 04:50:00", ["run", "--full-refresh", *_MODELS]),
    ("2026-03-10 05:00:00", _TESTS),
)
#: What is kept: what the comparison reads, and what tests are called.
_KEPT = {
    "elementary_test_results": (
        "id", "test_execution_id", "test_unique_id", "model_unique_id", "invocation_id", "detected_at", "created_at",
        "database_name", "schema_name", "table_name", "column_name", "test_type", "test_sub_type", "test_params",
        "severity", "status", "failures", "test_name", "test_short_name",
    ),
    "data_monitoring_metrics": (
        "id", "full_table_name", "column_name", "metric_name", "metric_value", "bucket_start", "bucket_end",
        "updated_at", "created_at", "dimension", "dimension_value", "metric_properties",
    ),
    "dbt_invocations": ("invocation_id", "run_started_at", "run_completed_at", "vars"),
    "dbt_run_results": (
        "unique_id", "invocation_id", "generated_at", "created_at", "full_refresh", "materialization",
    ),
    "dbt_models": ("unique_id", "materialization"),
    "dbt_tests": (
        "unique_id", "short_name", "test_params", "test_column_name", "parent_model_unique_id", "database_name",
        "schema_name", "warn_if", "error_if", "severity", "generated_at",
    ),
}  # fmt: skip
#: Of the buckets that the macros scored, sums are kept, by result.
_SCORED = """
SELECT
    elementary_test_results_id,
    count(*) AS buckets,
    sum(CAST(result_row ->> 'anomaly_score' AS DOUBLE) ORDER BY result_row) AS score,
    sum(abs(CAST(result_row ->> 'anomaly_score' AS DOUBLE)) ORDER BY result_row) AS absolute_score,
    sum(CAST(result_row ->> 'training_avg' AS DOUBLE) ORDER BY result_row) AS training_avg,
    sum(CAST(result_row ->> 'training_stddev' AS DOUBLE) ORDER BY result_row) AS training_stddev,
    sum(CAST(result_row ->> 'training_set_size' AS BIGINT))::BIGINT AS training_set_size,
    sum(CAST(result_row ->> 'min_metric_value' AS DOUBLE) ORDER BY result_row) AS min_metric_value,
    sum(CAST(result_row ->> 'max_metric_value' AS DOUBLE) ORDER BY result_row) AS max_metric_value,
    count(*) FILTER (WHERE CAST(result_row ->> 'is_anomalous' AS BOOLEAN)) AS anomalies
FROM test_result_rows
WHERE test_type = 'anomaly_detection'
GROUP BY ALL
ORDER BY ALL
"""
#: Identifiers are random; numbers in their order say the same in less room.
_METRICS = """
SELECT * REPLACE (
    dense_rank() OVER (
        ORDER BY metric_properties, metric_name, column_name, full_table_name, dimension_value, bucket_end, id
    )::VARCHAR AS id
)
FROM data_monitoring_metrics
ORDER BY metric_properties, metric_name, column_name, full_table_name, dimension_value, bucket_end, updated_at
"""


def main() -> None:
    """Run the project through its days and keep what it left."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "parity.duckdb"
        for moment, arguments in _DAYS:
            _run(file, moment, arguments)
        keep(file)


def keep(file: Path) -> None:
    """Write the tables of a DuckDB file that the project's runs left."""
    PARQUET.mkdir(exist_ok=True)
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("SET schema = 'shop_elementary'")
        for name, columns in _KEPT.items():
            query = _METRICS if name == "data_monitoring_metrics" else f"FROM {name} ORDER BY ALL"
            rows = connection.sql(f"SELECT {', '.join(columns)} FROM ({query})").to_arrow_table()
            _write(name, rows.cast(arrow_schema(TABLES[name], list(columns))))
        _write("scored", connection.sql(_SCORED).to_arrow_table())


def _write(name: str, table: pa.Table) -> None:
    in_order = [field.name for field in table.schema if field.name in ("bucket_start", "bucket_end")]
    pq.write_table(
        table,
        PARQUET / f"{name}.parquet",
        compression="zstd",
        compression_level=19,
        use_dictionary=[field.name for field in table.schema if field.name not in in_order],
        column_encoding=dict.fromkeys(in_order, "DELTA_BINARY_PACKED"),
    )


def _run(file: Path, moment: str, arguments: list[str]) -> None:
    clock = {"LD_PRELOAD": os.environ["LIBFAKETIME"], "FAKETIME": f"@{moment}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    environment = {**os.environ, **clock, "TZ": "UTC", "PARITY_DUCKDB": str(file)}
    # A test that fails is what is wanted.
    subprocess.run(["dbt", *arguments, "--profiles-dir", "."], cwd=_PROJECT, env=environment, check=False)


if __name__ == "__main__":
    sys.exit(main())
