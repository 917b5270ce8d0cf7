"""Adds owners, lineage, severity and likely cause to verdicts."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.schema import is_of_incident
from airflow_provider_elementary.elementary_schema import METRIC_KEYS
from airflow_provider_elementary.incidents.anomaly_conditions import anomaly_conditions
from airflow_provider_elementary.incidents.conditions import Condition, metric_subject
from airflow_provider_elementary.incidents.grouping import group_conditions
from airflow_provider_elementary.project.lineage import Lineage, read_lineage
from airflow_provider_elementary.source import Source

#: The columns that are added; lists are JSON text, as in Elementary's own tables.
ENRICHED_COLUMNS = ("owners", "tags", "upstream", "downstream", "severity", "cause")


def enrich(verdicts: pa.Table, source: Source | Lineage) -> pa.Table:
    """Return verdicts with owners, tags, lineage, severity and likely cause of each anomaly.

    :param verdicts: of :func:`~airflow_provider_elementary.anomalies.detect`.
    :param source: holds dbt's artifacts, or the lineage read from them; missing facts stay null.
    :return: the verdicts and :data:`ENRICHED_COLUMNS`, null where a bucket is not anomalous; ``upstream`` and
        ``downstream`` name tables, the nearest first; ``cause`` names the table furthest upstream that was anomalous
        when this one began, and its worst anomaly.
    """
    lineage = source if isinstance(source, Lineage) else read_lineage(source)
    causes = _Causes(verdicts, lineage)
    contexts: dict[str, dict[str, Any]] = {}
    is_anomalous = is_of_incident(verdicts).combine_chunks()
    anomalies = verdicts.select([*METRIC_KEYS, "bucket_end"]).filter(is_anomalous).to_pylist()
    rows = []
    for row in anomalies:
        table = row["full_table_name"]
        if table not in contexts:
            contexts[table] = _context(table, lineage)
        severity = lineage.severity(table, row["metric_name"], row["column_name"])
        rows.append({**contexts[table], "severity": severity, "cause": causes.of(row)})
    empty = pa.nulls(len(verdicts), pa.string())
    for name in ENRICHED_COLUMNS:
        values = pa.array([row[name] for row in rows], pa.string())
        verdicts = verdicts.append_column(name, pc.replace_with_mask(empty, is_anomalous, values))
    return verdicts


class _Causes:
    """The causes of anomalies, by the conditions that they are evidence of."""

    def __init__(self, verdicts: pa.Table, lineage: Lineage) -> None:
        self._by_subject: dict[str, list[tuple[Condition, Condition]]] = defaultdict(list)
        for group in group_conditions(anomaly_conditions(verdicts, lineage), lineage):
            for condition in group:
                self._by_subject[condition.subject].append((condition, group[0]))

    def of(self, row: Mapping[str, Any]) -> str | None:
        """Return the cause upstream of an anomalous bucket in words, or None."""
        subject = metric_subject(*(row[name] for name in METRIC_KEYS))
        for condition, cause in self._by_subject[subject]:
            if condition.started_at < row["bucket_end"] <= condition.last_seen and cause.table != condition.table:
                return f"{cause.table} upstream: {cause.title}"
        return None


def _context(table: str, lineage: Lineage) -> dict[str, Any]:
    node = lineage.node(table)
    return {
        "owners": json.dumps(node.owners) if node else None,
        "tags": json.dumps(node.tags) if node else None,
        "upstream": json.dumps(lineage.upstream(table)) if node else None,
        "downstream": json.dumps(lineage.downstream(table)) if node else None,
    }
