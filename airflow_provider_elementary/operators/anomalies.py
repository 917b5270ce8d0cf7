"""The operators that judge metrics, and follow what is anomalous from run to run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import Asset, AssetAlias, Context

from airflow_provider_elementary.links.elementary import ElementaryPageLink
from airflow_provider_elementary.operators.base import (
    ElementarySourceOperator,
    ElementaryStoreOperator,
    clear_failures,
    log_group,
    number,
    run_key,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_elementary.anomalies.detect import Method
    from airflow_provider_elementary.anomalies.robust.state_store import Memories
    from airflow_provider_elementary.anomalies.summary import Summary
    from airflow_provider_elementary.incidents.tracking import Incident
    from airflow_provider_elementary.project.lineage import Lineage

#: An event per anomalous table, up to so many in a run: beyond, it is one failure of everything.
_TABLE_EVENTS = 100
_INCIDENTS_RETURNED = 20
#: Lines of a log before the rest is folded.
_TOLD = 3


class ElementaryAnomalyOperator(ElementarySourceOperator):
    """Judges table metrics bucket by bucket, seals the verdicts in the store, and returns the anomalies in short.

    Reads the metrics that another task computed where ``metrics`` names them; else computes them from a snapshot, or
    from a warehouse where ``elementary_conn_id`` names one. An :class:`~airflow.sdk.AssetAlias` among the ``outlets``
    gets an event per anomalous table, of the asset ``elementary://tables/<full_table_name>``.

    Many tables can be judged side by side: ``.partial(shards=4, …).expand(shard=[0, 1, 2, 3])``. The verdicts are the
    same; :class:`ElementaryIncidentOperator` then makes incidents of them.

    With ``method="robust"`` what was learnt of each series is sealed beside the verdicts, and the next run goes on from
    there; its verdicts are those of a replay of the whole history. A series that was corrected further back than
    ``days`` is replayed, and so are all where no memory fits or can be read.

    :param metrics: where the metrics are in the store: ``metrics`` of what
        :class:`~airflow_provider_elementary.operators.metrics.ElementaryTableMetricsOperator` returned. (templated)
    :param method: ``elementary`` for the dbt package's own rule, or ``robust``. (templated)
    :param parameters: the method's parameters, by Elementary's names, as in ``{"anomaly_sensitivity": 3.5}``.
        (templated)
    :param days: buckets that end within this many days before the newest are reported. Where dbt ran today, the
        newest is today's, which is not over: 2 takes yesterday's and today's. (templated)
    :param fail_on: fails the task, after everything is recorded: ``none`` never, ``any`` when there is an anomaly,
        ``error`` when there is one that a dbt test of that severity watches, or the name of a model, or several
        names, when one of these tables is anomalous. (templated)
    :param shard: which shard of the tables to judge, from 0. (templated)
    :param shards: how many shards there are. (templated)
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
        #: What :meth:`execute` judged and where it is, for OpenLineage.
        self._judged: tuple[pa.Table, str, Lineage, Mapping[str, Any]] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Judge, seal, summarise; raise last, when everything is recorded."""
        from airflow_provider_elementary.anomalies.circuit_breaker import require_none, stopping_tables
        from airflow_provider_elementary.anomalies.detect_recent import judge_recent
        from airflow_provider_elementary.anomalies.summary import summarise
        from airflow_provider_elementary.incidents.enrich import enrich
        from airflow_provider_elementary.storage.results import write_result

        parameters = dict(self.parameters or {})
        started = time.monotonic()
        with clear_failures():
            days, shard, shards = (number(self, name) for name in ("days", "shard", "shards"))
            how = {"method": self.method, "days": days, "shard": shard, "shards": shards, **parameters}
            store = self.repository.store
            memories = self._memories(context, parameters, days, shard, shards) if self.method == "robust" else None
            with self._open_metrics() as (rows, lineage, origin):
                judged = judge_recent(
                    rows,
                    method=self.method,
                    days=days,
                    parameters=parameters,
                    shard=shard,
                    shards=shards,
                    recall=memories.recall if memories else None,
                    adapter=origin.get("adapter"),
                )
            verdicts = enrich(judged.verdicts, lineage)
            stopping = stopping_tables(self.fail_on, verdicts, lineage, judged.tables)
            result = write_result(
                store,
                self.repository.keys,
                "verdicts",
                verdicts.to_reader(),
                run_key=run_key(context),
                origin=origin,
                parameters=how,
            )
            if memories and judged.remembered:
                memories.keep(judged.remembered, origin)
                self.log.info("%s series went on from memory, %s were replayed", judged.resumed, judged.replayed)
            self._judged = (verdicts, result.key, lineage, origin)
            summary = summarise(verdicts)
            self._log(summary, time.monotonic() - started)
            returned = {
                "store": store.uri,
                "verdicts": result.key,
                "origin": dict(origin),
                "method": self.method,
                **_plain(asdict(summary)),
            }
            if shards == 1:
                returned |= _follow(self, context, verdicts, lineage, origin)
            self._emit(context, verdicts, returned)
            if stopping:
                # A task that fails returns nothing, and downstream may want to know what stopped it.
                context["ti"].xcom_push(key="return_value", value=returned)
            require_none(stopping, f"{result.key} of {store.uri}")
        return returned

    def _memories(
        self, context: Context, parameters: Mapping[str, Any], days: int, shard: int, shards: int
    ) -> Memories:
        from airflow_provider_elementary.anomalies.robust.state_store import Memories, way_of_judging

        return Memories(
            self.repository.store,
            self.repository.keys,
            series=f"{context['ti'].dag_id}/{context['ti'].task_id}/{shard}",
            run_key=run_key(context),
            fits=way_of_judging(parameters, days=days, shard=shard, shards=shards),
        )

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Tell OpenLineage the data quality of the judged tables; asked on failure too, when the breaker stops."""
        from airflow_provider_elementary.anomalies.table_quality import table_qualities
        from airflow_provider_elementary.operators.openlineage import TABLES_TOLD, lineage_of_verdicts

        if self._judged is None:
            return None
        verdicts, key, lineage, origin = self._judged
        return lineage_of_verdicts(
            self.repository.uri,
            key,
            table_qualities(verdicts, TABLES_TOLD),
            namespace=origin.get("namespace"),
            name_of=lineage.dataset,
        )

    @contextmanager
    def _open_metrics(self) -> Iterator[tuple[pa.RecordBatchReader, Lineage, Mapping[str, Any]]]:
        from airflow_provider_elementary.metrics import compute_metrics
        from airflow_provider_elementary.project.lineage import read_lineage
        from airflow_provider_elementary.storage.results import find_result, read_result

        if self.metrics:
            found = find_result(self.repository.store, self.metrics)
            origin = {"metrics": self.metrics, **(found.origin if found else {})}
            with read_result(self.repository.store, self.repository.keys, self.metrics) as rows:
                yield rows, _lineage_of(self, origin), origin
        else:
            with self.open_source() as (source, origin), compute_metrics(source) as rows:
                yield rows, read_lineage(source), origin

    def _log(self, summary: Summary, seconds: float) -> None:
        for anomaly in summary.anomalies[:_TOLD]:
            self.log.info("found %s", anomaly["reason"])
        if rest := summary.anomalies[_TOLD:]:
            with log_group(self.log, f"{len(rest)} more"):
                for anomaly in rest:
                    self.log.info("found %s", anomaly["reason"])
        self.log.info(
            "judged %s buckets with %s in %.1f s: %s are anomalous, in %s tables",
            f"{summary.judged:,}",
            self.method,
            seconds,
            f"{summary.anomalous:,}",
            f"{len(summary.tables):,}",
        )
        if not summary.judged:
            self.log.warning(
                "no bucket of the last %s days had the history to be judged, so nothing could be found or stopped; "
                "today's bucket is the newest as soon as something ran today: raise days to reach yesterday's",
                self.days,
            )

    def _emit(self, context: Context, verdicts: pa.Table, returned: Mapping[str, Any]) -> None:
        """Send an event for each anomalous table to the aliases, and the summary to the assets, among the outlets."""
        from airflow_provider_elementary.anomalies.summary import anomalous_tables

        tables = anomalous_tables(verdicts)
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


class ElementaryIncidentOperator(ElementaryStoreOperator):
    """Makes incidents of the verdicts of one task or of all shards, and carries them on from those of the run before.

    :param verdicts: what :class:`ElementaryAnomalyOperator` returned, or a list of it: its ``output``. (templated)
    """

    template_fields: Sequence[str] = (*ElementaryStoreOperator.template_fields, "verdicts")
    operator_extra_links = (ElementaryPageLink(),)
    ui_color = "#f7dcd7"

    def __init__(self, *, verdicts: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdicts = verdicts

    def execute(self, context: Context) -> dict[str, Any]:
        """Gather, carry on, seal."""
        import pyarrow as pa

        from airflow_provider_elementary.storage.results import read_result

        with clear_failures():
            store, keys = self.repository.store, self.repository.keys
            given = [self.verdicts] if isinstance(self.verdicts, Mapping) else list(self.verdicts)
            parts = []
            for shard in given:
                with read_result(store, keys, shard["verdicts"]) as rows:
                    parts.append(rows.read_all())
            origin = given[0]["origin"] if given else {}
            verdicts = pa.concat_tables(parts, promote_options="default")
            followed = _follow(self, context, verdicts, _lineage_of(self, origin), origin)
            return {"store": store.uri, "verdicts": [shard["verdicts"] for shard in given], **followed}


def _follow(
    operator: ElementaryStoreOperator,
    context: Context,
    verdicts: pa.Table,
    lineage: Lineage,
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """Carry incidents on from the run before, log what changed, and return them in short."""
    from airflow_provider_elementary.incidents.store import update_incidents

    repository = operator.repository
    followed = update_incidents(
        repository.store,
        repository.keys,
        verdicts,
        lineage,
        series=f"{context['ti'].dag_id}/{context['ti'].task_id}",
        run_key=run_key(context),
        origin=origin,
    )
    _log_incidents(operator, followed.current, followed.open)
    return {
        "incidents": followed.key,
        "open_incidents": followed.open,
        "changes": [_brief(incident) for incident in followed.current[:_INCIDENTS_RETURNED]],
    }


def _log_incidents(operator: ElementaryStoreOperator, incidents: Sequence[Incident], open_ones: int) -> None:
    """Tell those that opened, fold the others, and count all."""
    opened = [incident for incident in incidents if incident.transition == "opened"]
    others = [*opened[_TOLD:], *(incident for incident in incidents if incident.transition != "opened")]
    for incident in opened[:_TOLD]:
        operator.log.info("incident opened: %s", incident.sentence)
    if others:
        with log_group(operator.log, f"{len(others)} further incidents"):
            for incident in others:
                operator.log.info("incident %s %s: %s", incident.incident_id, incident.transition, incident.sentence)
    counts = Counter(incident.transition for incident in incidents)
    operator.log.info(
        "incidents: %s opened, %s continue, %s resolved; %s open now",
        counts["opened"],
        counts["continues"],
        counts["resolved"],
        open_ones,
    )


def _lineage_of(operator: ElementaryStoreOperator, origin: Mapping[str, Any]) -> Lineage:
    """Read the lineage of the snapshot that metrics came from; those of a warehouse carry none with them."""
    from airflow_provider_elementary.project.lineage import Lineage, read_lineage

    if snapshot_id := origin.get("snapshot_id"):
        return read_lineage(operator.repository.open(snapshot_id))
    operator.log.warning("the metrics came from a warehouse and not from a snapshot: no lineage, owners or severities")
    return Lineage()


def _brief(incident: Incident) -> dict[str, Any]:
    return {
        "incident_id": incident.incident_id,
        "transition": incident.transition,
        "severity": incident.severity,
        "root": incident.root,
        "followers": list(incident.followers),
        "started_at": incident.started_at.isoformat(),
        "sentence": incident.sentence,
    }


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """Return JSON values: XCom keeps no tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
