"""The operator that judges metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.exceptions import ConfigurationError, ElementaryError
from airflow_provider_elementary.operators.base import ElementarySourceOperator, clear_failures, run_key

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.anomalies.detect import Method

FailOn = Literal["none", "any"]


class AnomaliesFoundError(ElementaryError):
    """Anomalies were found and ``fail_on`` asked to stop the pipeline for them."""


class ElementaryAnomalyOperator(ElementarySourceOperator):
    """Judges table metrics bucket by bucket, seals the verdicts in the store, and returns the anomalies in short.

    Reads the metrics that another task computed where ``metrics`` names them; else computes them from a snapshot, or
    from a warehouse where ``elementary_conn_id`` names one.

    :param metrics: where the metrics are in the store: ``metrics`` of what
        :class:`~airflow_provider_elementary.operators.metrics.ElementaryTableMetricsOperator` returned. (templated)
    :param method: ``elementary`` for the dbt package's own rule, or ``robust``. (templated)
    :param parameters: the method's parameters, by Elementary's names, as in ``{"anomaly_sensitivity": 3.5}``.
        (templated)
    :param days: buckets that end within this many days before the newest are reported. (templated)
    :param fail_on: ``any`` fails the task when there is an anomaly, after the verdicts are sealed; ``none`` never.
    """

    template_fields: Sequence[str] = (
        *ElementarySourceOperator.template_fields,
        "metrics",
        "method",
        "parameters",
        "days",
        "fail_on",
    )
    ui_color = "#f7dcd7"

    def __init__(
        self,
        *,
        metrics: str | None = None,
        method: Method = "elementary",
        parameters: Mapping[str, Any] | None = None,
        days: int = 2,
        fail_on: FailOn = "none",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.metrics = metrics
        self.method = method
        self.parameters = parameters
        self.days = days
        self.fail_on = fail_on

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge, seal, summarise; raise last, when everything is recorded."""
        from airflow_provider_elementary.anomalies import detect
        from airflow_provider_elementary.anomalies.summary import recent, summarise
        from airflow_provider_elementary.metrics import judged_metrics
        from airflow_provider_elementary.snapshots.results import write_result

        with clear_failures():
            if self.fail_on not in ("none", "any"):
                raise ConfigurationError(f"Expected fail_on none or any, found {self.fail_on!r}.")
            store, keys = self.store_hook.store, self.store_hook.keys
            metrics, origin = self._read_metrics()
            parameters = dict(self.parameters or {})
            verdicts = recent(detect(judged_metrics(metrics), method=self.method, **parameters), int(self.days))
            result = write_result(
                store,
                keys,
                "verdicts",
                verdicts.to_reader(),
                run_key=run_key(context),
                origin=origin,
                parameters={"method": self.method, "days": int(self.days), **parameters},
            )
            summary = summarise(verdicts)
            for anomaly in summary.anomalies:
                self.log.info("anomaly: %s (score %s)", anomaly["reason"], anomaly["score"])
            self.log.info(
                "%s of %s judged buckets are anomalous, in %s tables",
                f"{summary.anomalous:,}",
                f"{summary.judged:,}",
                len(summary.tables),
            )
            if summary.anomalous and self.fail_on == "any":
                raise AnomaliesFoundError(
                    f"Expected no anomalies, found {summary.anomalous} in {', '.join(summary.tables[:10])}. "
                    f"The verdicts are in {result.key} of {store.uri}."
                )
        return {"store": store.uri, "verdicts": result.key, "method": self.method, **_plain(asdict(summary))}

    def _read_metrics(self) -> tuple[pa.Table, Mapping[str, Any]]:
        from airflow_provider_elementary.metrics import compute_metrics
        from airflow_provider_elementary.snapshots.results import read_result

        if self.metrics:
            with read_result(self.store_hook.store, self.store_hook.keys, self.metrics) as rows:
                return rows.read_all(), {"metrics": self.metrics}
        with self.open_source() as (source, origin), compute_metrics(source) as rows:
            return rows.read_all(), origin


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """Return JSON values: XCom keeps no tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
