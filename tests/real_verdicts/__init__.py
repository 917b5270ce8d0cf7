"""Verdicts that dbt and Elementary's real macros gave on odd configurations, and the project that made them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

PARQUET = Path(__file__).parent / "parquet"


def real_verdicts() -> dict[str, pa.Table]:
    """Return the tables that the comparison reads, as the runs left them."""
    return {path.stem: pq.read_table(path) for path in sorted(PARQUET.glob("*.parquet")) if path.stem != "scored"}


def scored() -> pa.Table:
    """Return sums over the buckets that the macros scored, by result: of what ``test_result_rows`` holds of each."""
    return pq.read_table(PARQUET / "scored.parquet")


def sums(scores: pa.Table) -> pa.Table:
    """Return the same sums of recomputed buckets, with names that end in ``_ours``."""
    found: pa.Table = duckdb.connect().from_arrow(scores).query("scores", _SUMS).to_arrow_table()
    return found


_SUMS = """
SELECT
    elementary_test_results_id,
    count(*) AS buckets_ours,
    sum(score) AS score_ours,
    sum(abs(score)) AS absolute_score_ours,
    sum(training_avg) AS training_avg_ours,
    sum(training_stddev) AS training_stddev_ours,
    sum(training_set_size)::BIGINT AS training_set_size_ours,
    sum(min_metric_value) AS min_metric_value_ours,
    sum(max_metric_value) AS max_metric_value_ours,
    count(*) FILTER (WHERE is_anomalous) AS anomalies_ours
FROM scores
WHERE score IS NOT NULL
GROUP BY ALL
"""
