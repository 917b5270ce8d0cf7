"""The operator that finds anomalies in metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import Asset, AssetAlias, Context

from airflow_provider_elementary.links.elementary import ElementaryPageLink
from airflow_provider_elementary.operators.base import (
    ElementarySourceOperator,
    clear_failures,
    log_group,
    one_task,
    require_no_loss,
    returned_before,
    run_key,
    task_series,
    templated_number,
)
from airflow_provider_elementary.operators.incidents import track_and_store_incidents

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_elementary.anomalies.detect import Method
    from airflow_provider_elementary.anomalies.stored_metrics import MetricRows
    from airflow_provider_elementary.incidents.dbt_evidence import DbtConditions
    from airflow_provider_elementary.incidents.evaluate import Evaluation, EvaluationOptions
    from airflow_provider_elementary.project.lineage import Lineage

#: Asset events of anomalous tables in one run at most: more are one failure of everything.
_TABLE_EVENTS = 100
#: Lines of a log before the others are folded.
_UNFOLDED = 3


class ElementaryAnomalyOperator(ElementarySourceOperator):
    """Scores table metrics bucket by bucket, stores the verdicts encrypted, and returns the anomalies in short.

    Reads the metrics that another task computed where ``metrics`` names them; else computes them from a snapshot, or
    from a warehouse where ``elementary_conn_id`` names one. An :class:`~airflow.sdk.AssetAlias` among the ``outlets``
    gets an event per anomalous table, of the asset ``elementary://tables/<full_table_name>``.

    Many tables can be scored in parallel: ``.partial(shards=4, …).expand(shard=[0, 1, 2, 3])``. The verdicts are the
    same; :class:`~airflow_provider_elementary.operators.incidents.ElementaryIncidentOperator` then updates incidents
    with them.

    With ``method="robust"`` the model state of each series is stored encrypted beside the verdicts, and the next run
    resumes from it; its verdicts are those of a replay of the whole history. A series that was corrected further back
    than ``days`` is replayed; all series are replayed if no saved state fits or can be read.

    :param metrics: the key of the metrics in the store: ``metrics`` of what
        :class:`~airflow_provider_elementary.operators.metrics.ElementaryTableMetricsOperator` returned. (templated)
    :param method: ``elementary`` for the dbt package's own rule, or ``robust``. (templated)
    :param parameters: the method's parameters, by Elementary's names, as in ``{"anomaly_sensitivity": 3.5}``. A series
        with a dbt test is scored with the test's own configuration instead. (templated)
    :param days: buckets that end within this many days before the newest are reported. Where dbt ran today, the
        newest is today's, which is not complete: 2 takes yesterday's and today's. (templated)
    :param fail_on: fails the task, after everything is recorded: ``none`` never, ``any`` when there is an anomaly,
        ``error`` when a dbt test of that severity watches an anomalous metric, or the name of a model, or several
        names, when one of these tables is anomalous. (templated)
    :param shard: which shard of the tables to score, from 0. (templated)
    :param shards: the number of shards. (templated)
    """

    template_fields: Sequence[str] = (
        *ElementarySourceOperator.template_fields,
        "metrics",
        "method",
        "parameters",
        "days",
        "fail_on",
        "shard",
        "shards",
    )
    operator_extra_links = (ElementaryPageLink(),)
    ui_color = "#f7dcd7"

    def __init__(
        self,
        *,
        metrics: str | None = None,
        method: Method = "elementary",
        parameters: Mapping[str, Any] | None = None,
        days: int | str = 2,
        fail_on: str | Sequence[str] = "none",
        shard: int | str = 0,
        shards: int | str = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.metrics = metrics
        self.method = method
        self.parameters = parameters
        self.days = days
        self.fail_on = fail_on
        self.shard = shard
        self.shards = shards
        #: What :meth:`execute` scored, and its origin, for OpenLineage.
        self._evaluated: tuple[Evaluation, Mapping[str, Any]] | None = None
        self._of_dbt: DbtConditions | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Score, store and log; raise last, when everything is recorded."""
        with clear_failures(), one_task(self, context):
            evaluation, origin = self._evaluate(context)
            returned, losses = self._describe(evaluation, origin), [evaluation.lost]
            if templated_number(self, "shards") == 1:
                verdicts, lineage = evaluation.verdicts, evaluation.lineage
                results = [evaluation.result] if evaluation.result is not None else []
                incidents, lost = track_and_store_incidents(
                    self, context, verdicts, results, lineage, self._of_dbt, origin
                )
                returned |= incidents
                losses.append(lost)
            self._emit(context, evaluation.verdicts, returned)
            require_no_loss(context, " ".join(each for each in losses if each) or None, returned)
            self._stop(context, evaluation, returned)
        return returned

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Return the data quality of the scored tables; called on failure too, when ``fail_on`` stops the task."""
        from airflow_provider_elementary.anomalies.table_quality import table_qualities
        from airflow_provider_elementary.operators.openlineage import MAX_TABLES, lineage_of_verdicts

        if self._evaluated is None:
            return None
        evaluation, origin = self._evaluated
        return lineage_of_verdicts(
            self.repository.uri,
            str(evaluation.key),
            table_qualities(evaluation.verdicts, MAX_TABLES),
            namespace=origin.get("namespace"),
            name_of=evaluation.lineage.dataset,
        )

    def _evaluate(self, context: Context) -> tuple[Evaluation, Mapping[str, Any]]:
        from airflow_provider_elementary.incidents.evaluate import EvaluationOptions, evaluate_and_store

        options = EvaluationOptions(
            method=self.method,
            days=templated_number(self, "days"),
            parameters=dict(self.parameters or {}),
            fail_on=self.fail_on,
            shard=templated_number(self, "shard"),
            shards=templated_number(self, "shards"),
        )
        started = time.monotonic()
        with self._open_metrics(context, options) as (rows, lineage, origin, configurations):
            evaluation = evaluate_and_store(
                self.repository,
                rows,
                lineage,
                options,
                series=task_series(context),
                run_key=run_key(context),
                origin=origin,
                configurations=configurations,
                before=returned_before(context),
            )
        self._log(evaluation, time.monotonic() - started)
        self._evaluated = (evaluation, origin)
        return evaluation, origin

    @contextmanager
    def _open_metrics(
        self, context: Context, options: EvaluationOptions
    ) -> Iterator[tuple[MetricRows, Lineage, Mapping[str, Any], pa.Table | None]]:
        from airflow_provider_elementary.anomalies.elementary.configured_tests import read_test_configurations
        from airflow_provider_elementary.anomalies.stored_metrics import MetricRows
        from airflow_provider_elementary.incidents.current import read_conditions_of
        from airflow_provider_elementary.incidents.evaluate import dbt_conditions_of, open_metrics
        from airflow_provider_elementary.metrics import compute_metrics
        from airflow_provider_elementary.project.lineage import read_lineage

        if self.metrics:
            rows, lineage, origin, configurations = open_metrics(self.repository, self.metrics, options)
            self._of_dbt = dbt_conditions_of(
                self.repository, origin, series=task_series(context), run_key=run_key(context)
            )
            yield rows, lineage, origin, configurations
        else:
            with self.open_source() as (source, origin):
                self._of_dbt = read_conditions_of(source)
                yield (
                    MetricRows(partial(compute_metrics, source)),
                    read_lineage(source),
                    origin,
                    read_test_configurations(source),
                )

    def _describe(self, evaluation: Evaluation, origin: Mapping[str, Any]) -> dict[str, Any]:
        facts = {
            "store": self.repository.uri,
            "verdicts": evaluation.key,
            "origin": dict(origin),
            "method": self.method,
            **asdict(evaluation.summary),
            **evaluation.anchors,
        }
        # XCom keeps no tuples.
        return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}

    def _stop(self, context: Context, evaluation: Evaluation, returned: Mapping[str, Any]) -> None:
        """Fail the task where ``fail_on`` says so."""
        from airflow_provider_elementary.anomalies.circuit_breaker import require_none

        if evaluation.stopping:
            # A task that fails returns nothing, and downstream may want to know what stopped it.
            context["ti"].xcom_push(key="return_value", value=returned)
        require_none(evaluation.stopping, f"{evaluation.key} of {self.repository.uri}")

    def _log(self, evaluation: Evaluation, seconds: float) -> None:
        """Log the worst anomalies as warnings, fold the others, and log the counts."""
        scored, summary = evaluation.scored, evaluation.summary
        if scored.learned_until is not None:
            self.log.info("resumed %s series from saved state, replayed %s", scored.resumed, scored.replayed)
        for anomaly in summary.anomalies[:_UNFOLDED]:
            self.log.warning("found %s", anomaly["reason"])
        if others := summary.anomalies[_UNFOLDED:]:
            with log_group(self.log, f"{len(others)} more"):
                for anomaly in others:
                    self.log.info("found %s", anomaly["reason"])
        self.log.log(
            logging.WARNING if summary.anomalous else logging.INFO,
            "scored %s buckets with %s in %.1f s: %s are anomalous, in %s tables",
            f"{summary.scored:,}",
            self.method,
            seconds,
            f"{summary.anomalous:,}",
            f"{len(summary.tables):,}",
        )
        if not summary.scored:
            self.log.warning(
                "not enough history: 0 buckets of the last %s days were scored, so no anomaly could be found; "
                "where dbt ran today, the newest bucket is today's: increase days to include yesterday's",
                self.days,
            )

    def _emit(self, context: Context, verdicts: pa.Table, returned: Mapping[str, Any]) -> None:
        """Send an event for each anomalous table to the aliases, and the summary to the assets, among the outlets."""
        from airflow_provider_elementary.anomalies.summary import tables_by_score

        tables = tables_by_score(verdicts)
        for outlet in self.outlets or ():
            if not isinstance(outlet, AssetAlias):
                context["outlet_events"][outlet].extra = dict(returned)
                continue
            for table, facts in list(tables.items())[:_TABLE_EVENTS]:
                asset = Asset(name=f"elementary table {quote(table)}", uri=f"elementary://tables/{quote(table)}")
                extra = {**facts, "store": returned["store"], "verdicts": returned["verdicts"]}
                context["outlet_events"][outlet].add(asset, extra=extra)
            if len(tables) > _TABLE_EVENTS:
                self.log.warning("events for %s of %s anomalous tables were sent", _TABLE_EVENTS, f"{len(tables):,}")
