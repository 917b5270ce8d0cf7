"""Scores the buckets of Elementary's runs as the rule does."""

from __future__ import annotations

import pyarrow as pa

from airflow_provider_elementary.anomalies.elementary.parity import fetch, replayed_runs
from airflow_provider_elementary.source import Source

#: Under the names of test_result_rows.result_row.
_BUCKETS = """
SELECT
    elementary_test_results_id,
    metric_id,
    bucket_end,
    metric_value,
    score,
    training_avg,
    training_stddev,
    training_set_size,
    expected_min AS min_metric_value,
    expected_max AS max_metric_value,
    is_anomalous
FROM scored
WHERE is_kept
ORDER BY elementary_test_results_id, bucket_end, metric_id
"""


def recompute_scores(source: Source, *, adapter: str | None = None) -> pa.Table:
    """Return every bucket that Elementary's runs scored, as the rule scores it on the metrics that they saw."""
    with replayed_runs(source, adapter) as connection:
        return fetch(connection, _BUCKETS)
