"""Scores the last days of metrics with another configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.configurations import without_arguments
from airflow_provider_elementary.anomalies.detect import Method
from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.elementary_schema import METRIC_KEYS
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.storage.records.results import write_result


@dataclass(frozen=True)
class Backtest:
    """The result of a backtest.

    :param verdicts: every scored bucket of the days, each as the run that first saw it would have scored it.
    :param by_metric: one row per table, column and metric: ``scored``, ``anomalous``, ``first``, ``last`` (starts of
        anomalous buckets) and ``worst_score``; those with most anomalies first, all values of a dimension together.
    """

    verdicts: pa.Table
    by_metric: pa.Table

    @property
    def scored(self) -> int:
        """Buckets that got a score."""
        return int(pc.sum(self.by_metric["scored"]).as_py() or 0)

    @property
    def anomalous(self) -> int:
        """Buckets that are anomalous."""
        return int(pc.sum(self.by_metric["anomalous"]).as_py() or 0)


def backtest(
    metrics: pa.RecordBatchReader | pa.Table,
    method: Method = "elementary",
    parameters: Mapping[str, Any] | None = None,
    days: int = 30,
    adapter: str | None = None,
    configurations: pa.Table | None = None,
) -> Backtest:
    """Score the buckets of the last days, each from what came before it.

    :param metrics: as :func:`~airflow_provider_elementary.metrics.compute_metrics` yields them.
    :param method: ``elementary`` or ``robust``.
    :param parameters: of the method.
    :param days: how many days back from the newest bucket.
    :param adapter: dbt's name of the warehouse that the metrics were measured on, where the parameters name none.
    :param configurations: of each series, the parameters of its dbt test; those in ``parameters`` replace them.
    :raises ConfigurationError: a parameter does not fit.
    """
    given = parameters or {}
    rows = metrics.to_reader() if isinstance(metrics, pa.Table) else metrics
    verdicts = score_recent(
        rows,
        method=method,
        days=days,
        parameters=given,
        adapter=adapter,
        configurations=without_arguments(configurations, given),
    ).verdicts
    return Backtest(verdicts, by_metric(verdicts))


def metric_in_words(row: Mapping[str, Any]) -> str:
    """Return which metric a row of ``by_metric`` is of, as in ``email.null_count`` or ``dimension by channel``."""
    metric = ".".join(filter(None, (row["column_name"], row["metric_name"])))
    return f"{metric} by {row['dimension']}" if row["dimension"] else metric


def by_metric(verdicts: pa.Table) -> pa.Table:
    """Return verdicts in short; see :class:`Backtest`."""
    with bounded_connection() as connection:
        connection.register("verdicts", verdicts)
        found: pa.Table = connection.sql(_BY_METRIC).to_arrow_table()
    return found


_BY_METRIC = f"""
SELECT
    {", ".join(METRIC_KEYS)},
    count(score) AS scored,
    count(*) FILTER (is_anomalous) AS anomalous,
    min(coalesce(bucket_start, bucket_end)) FILTER (is_anomalous) AS first,
    max(coalesce(bucket_start, bucket_end)) FILTER (is_anomalous) AS last,
    max(abs(score)) FILTER (is_anomalous) AS worst_score
FROM verdicts GROUP BY {", ".join(METRIC_KEYS)}
ORDER BY anomalous DESC, worst_score DESC NULLS LAST, {", ".join(f"{key} NULLS LAST" for key in METRIC_KEYS)}
"""  # noqa: S608 - constants


def store_backtest(
    repository: Repository, found: Backtest, options: Mapping[str, Any], *, run_key: str, origin: Mapping[str, Any]
) -> str:
    """Store the verdicts of a backtest encrypted, and return their key in the store.

    :param options: the method, its parameters and the days, as recorded with the verdicts.
    :param run_key: identifies the run; a retry replaces its own result.
    :param origin: what the metrics were computed from.
    """
    result = write_result(
        repository,
        "backtests",
        found.verdicts.to_reader(),
        run_key=run_key,
        origin=origin,
        parameters=options,
    )
    return result.key
