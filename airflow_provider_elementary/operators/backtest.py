"""The operator that tries a configuration on the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.links.elementary import ElementaryBacktestLink
from airflow_provider_elementary.operators.base import ElementarySourceOperator, clear_failures, number, run_key

if TYPE_CHECKING:
    from airflow_provider_elementary.anomalies.detect import Method

_METRICS_RETURNED = 20


class ElementaryBacktestOperator(ElementarySourceOperator):
    """Tells what a configuration would have said of the last days, and seals it; reads a snapshot and no warehouse.

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
        """Judge what is past, seal it, and return it in short, by metric."""
        from airflow_provider_elementary.anomalies import backtest
        from airflow_provider_elementary.anomalies.backtest import metric_in_words
        from airflow_provider_elementary.metrics import compute_metrics
        from airflow_provider_elementary.storage.results import write_result

        parameters = dict(self.parameters or {})
        with clear_failures():
            store = self.repository.store
            with self.open_source() as (source, origin), compute_metrics(source) as metrics:
                found = backtest(metrics, self.method, parameters, number(self, "days"), origin["adapter"])
            result = write_result(
                store,
                self.repository.keys,
                "backtests",
                found.verdicts.to_reader(),
                run_key=run_key(context),
                origin=origin,
                parameters={"method": self.method, "days": int(self.days), **parameters},
            )
        rows = [row for row in found.by_metric.slice(0, _METRICS_RETURNED).to_pylist() if row["anomalous"]]
        for row in rows:
            metric = metric_in_words(row)
            self.log.info("%s %s: %s of %s buckets", row["full_table_name"], metric, row["anomalous"], row["scored"])
        self.log.info(
            "%s of %s buckets of %s days would have been anomalous with %s; the Elementary page draws them",
            f"{found.anomalous:,}",
            f"{found.scored:,}",
            self.days,
            self.method,
        )
        self.summary = {
            "store": store.uri,
            "backtest": result.key,
            "method": self.method,
            "days": int(self.days),
            "scored": found.scored,
            "anomalous": found.anomalous,
            "by_metric": [
                {
                    **row,
                    "metric": metric_in_words(row),
                    **{name: row[name].isoformat() for name in ("first", "last")},
                }
                for row in rows
            ],
        }
        return self.summary
