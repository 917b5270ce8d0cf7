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
    start = pc.coalesce(verdicts["bucket_start"], verdicts["bucket_end"])
    flag = verdicts["is_anomalous"]
    when = pc.if_else(flag, start, pa.scalar(None, start.type))
    size = pc.if_else(flag, pc.abs(verdicts["score"]), pa.scalar(None, pa.float64()))
    facts = verdicts.select(METRIC_KEYS).append_column("scored", pc.cast(pc.is_valid(verdicts["score"]), pa.int64()))
    facts = facts.append_column("anomalous", pc.cast(flag, pa.int64()))
    facts = facts.append_column("when", when).append_column("size", size)
    totals = facts.group_by(list(METRIC_KEYS)).aggregate(
        [("scored", "sum"), ("anomalous", "sum"), ("when", "min"), ("when", "max"), ("size", "max")]
    )
    aggregates = totals.select([*METRIC_KEYS, "scored_sum", "anomalous_sum", "when_min", "when_max", "size_max"])
    named = aggregates.rename_columns([*METRIC_KEYS, "scored", "anomalous", "first", "last", "worst_score"])
    return named.sort_by([("anomalous", "descending"), ("worst_score", "descending"), ("full_table_name", "ascending")])


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
