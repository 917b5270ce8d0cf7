"""The operator that computes table metrics."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.operators.base import (
    ElementarySourceOperator,
    clear_failures,
    one_task,
    require_no_loss,
    returned_before,
    run_key,
)

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


class ElementaryTableMetricsOperator(ElementarySourceOperator):
    """Computes one long table of metrics per table over time, and stores it encrypted.

    Reads a snapshot in the store, without a warehouse; or a warehouse if ``elementary_conn_id`` names one. Of a
    snapshot only the days are computed that have new rows since the run before.
    """

    template_fields: Sequence[str] = ElementarySourceOperator.template_fields
    ui_color = "#fdf0d0"
    #: What :meth:`execute` returned.
    _returned: dict[str, Any] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Compute and store the metrics, and return their key in the store."""
        from airflow_provider_elementary.anomalies.elementary.configured_tests import TESTS
        from airflow_provider_elementary.metrics.by_day import update_metrics
        from airflow_provider_elementary.metrics.removed_snapshots import removed_snapshots
        from airflow_provider_elementary.storage.records.results import anchor_result, recorded_result

        started, key, before = time.monotonic(), run_key(context), returned_before(context)
        with clear_failures(), one_task(self, context), self.open_source() as (source, origin):
            known, lost = recorded_result(self.repository, "metrics", "", before.get("metrics_anchor"))
            hidden = removed_snapshots(self.repository, source, key)
            result = update_metrics(self.repository, source, run_key=key, origin=origin, known=known, tests=TESTS)
            self.log.info("stored %s metrics in %.1f s", f"{result.rows:,}", time.monotonic() - started)
            stored = {"metrics": result.key, "rows": result.rows, "origin": dict(origin)}
            anchor = anchor_result(self.repository, result)
            self._returned = {"store": self.repository.uri, **stored, "metrics_anchor": anchor}
            require_no_loss(context, " ".join(each for each in (lost, hidden) if each) or None, self._returned)
        return self._returned

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Return where the metrics are."""
        from airflow_provider_elementary.operators.openlineage import lineage_of_result

        found = self._returned
        return lineage_of_result(found["store"], found["metrics"], found["rows"]) if found else None
