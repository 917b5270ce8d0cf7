"""The operator that runs the detector on past data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.links.elementary import ElementaryBacktestLink
from airflow_provider_elementary.operators.base import (
    ElementarySourceOperator,
    clear_failures,
    run_key,
    templated_number,
)

if TYPE_CHECKING:
    from airflow_provider_elementary.anomalies.backtest import Backtest
    from airflow_provider_elementary.anomalies.detect import Method

_METRICS_RETURNED = 20


class ElementaryBacktestOperator(ElementarySourceOperator):
    """Runs the detector on the last days with other settings, and stores the verdicts; raises no alert.

    :param method: ``elementary`` or ``robust``. (templated)
    :param parameters: the method's parameters, by Elementary's names. (templated)
    :param days: how many days back from the newest bucket. (templated)
    """

    template_fields: Sequence[str] = (*ElementarySourceOperator.template_fields, "method", "parameters", "days")
    operator_extra_links = (ElementaryBacktestLink(),)
    ui_color = "#e4dcf1"

    def __init__(
        self,
        *,
        method: Method = "elementary",
        parameters: Mapping[str, Any] | None = None,
        days: int | str = 30,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.parameters = parameters
        self.days = days
        #: What :meth:`execute` returned.
        self.summary: dict[str, Any] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Score the last days, store the verdicts, and return the counts by metric."""
        from airflow_provider_elementary.anomalies.backtest import backtest, store_backtest
        from airflow_provider_elementary.anomalies.elementary.configured_tests import read_test_configurations
        from airflow_provider_elementary.metrics import compute_metrics

        with clear_failures():
            days, parameters = templated_number(self, "days"), dict(self.parameters or {})
            with self.open_source() as (source, origin), compute_metrics(source) as metrics:
                configurations = read_test_configurations(source)
                found = backtest(metrics, self.method, parameters, days, origin["adapter"], configurations)
            options = {"method": self.method, "days": days, **parameters}
            key = store_backtest(self.repository, found, options, run_key=run_key(context), origin=origin)
        self.summary = {"store": self.repository.uri, "backtest": key, "method": self.method, "days": days}
        self.summary |= self._log(found, days)
        return self.summary

    def _log(self, found: Backtest, days: int) -> dict[str, Any]:
        """Log the metrics with most anomalies, and return them with the counts."""
        from airflow_provider_elementary.anomalies.backtest import metric_in_words

        rows = [row for row in found.by_metric.slice(0, _METRICS_RETURNED).to_pylist() if row["anomalous"]]
        for row in rows:
            counts = (row["full_table_name"], metric_in_words(row), row["anomalous"], row["scored"])
            self.log.info("%s %s: %s of %s buckets", *counts)
        self.log.info(
            "scored %s buckets of %s days with %s: %s would have been anomalous; see Backtests on the Elementary page",
            f"{found.scored:,}",
            days,
            self.method,
            f"{found.anomalous:,}",
        )
        by_metric = [
            {**row, "metric": metric_in_words(row), **{name: row[name].isoformat() for name in ("first", "last")}}
            for row in rows
        ]
        return {"scored": found.scored, "anomalous": found.anomalous, "by_metric": by_metric}
