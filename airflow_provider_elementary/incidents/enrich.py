"""Adds owners, lineage, severity and likely cause to verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.explain import public_sentence
from airflow_provider_elementary.anomalies.schema import is_of_incident
from airflow_provider_elementary.incidents.tracking import Episode, episodes_of, roots_of
from airflow_provider_elementary.project.lineage import Lineage, read_lineage
from airflow_provider_elementary.source import Source

#: The columns that are added; lists are JSON text, as in Elementary's own tables.
ENRICHED_COLUMNS = ("owners", "tags", "upstream", "downstream", "severity", "cause")
_KEYS = ["full_table_name", "column_name", "metric_name", "bucket_start", "bucket_end"]


def enrich(verdicts: pa.Table, source: Source | Lineage) -> pa.Table:
    """Return verdicts with owners, tags, lineage, severity and likely cause of each anomaly.

    :param verdicts: of :func:`~airflow_provider_elementary.anomalies.detect`.
    :param source: holds dbt's artifacts, or the lineage read from them; missing facts stay null.
    :return: the verdicts and :data:`ENRICHED_COLUMNS`, null where a bucket is not anomalous; ``upstream`` and
        ``downstream`` name tables, the nearest first; ``cause`` names the table furthest upstream that was anomalous
        when this one began, and its worst anomaly.
    """
    lineage = source if isinstance(source, Lineage) else read_lineage(source)
    episodes = episodes_of(verdicts)
    causes = {
        (episode.table, row["bucket_start"], row["bucket_end"]): cause
        for episode, cause in zip(episodes, _causes(episodes, lineage), strict=True)
        for row in episode.anomalies
    }
    contexts = {episode.table: _context(episode.table, lineage) for episode in episodes}
    is_anomalous = is_of_incident(verdicts).combine_chunks()
    anomalies = verdicts.select(_KEYS).filter(is_anomalous).to_pylist()
    rows = [
        {
            **contexts[row["full_table_name"]],
            "severity": lineage.severity(row["full_table_name"], row["metric_name"], row["column_name"]),
            "cause": causes[row["full_table_name"], row["bucket_start"], row["bucket_end"]],
        }
        for row in anomalies
    ]
    empty = pa.nulls(len(verdicts), pa.string())
    for name in ENRICHED_COLUMNS:
        values = pa.array([row[name] for row in rows], pa.string())
        verdicts = verdicts.append_column(name, pc.replace_with_mask(empty, is_anomalous, values))
    return verdicts


def _causes(episodes: list[Episode], lineage: Lineage) -> Iterable[str | None]:
    for place, root in enumerate(roots_of(episodes, lineage)):
        cause = episodes[root]
        yield None if root == place else f"{cause.table} upstream: {public_sentence(cause.anomalies[0])}"


def _context(table: str, lineage: Lineage) -> dict[str, Any]:
    node = lineage.node(table)
    return {
        "owners": json.dumps(node.owners) if node else None,
        "tags": json.dumps(node.tags) if node else None,
        "upstream": json.dumps(lineage.upstream(table)) if node else None,
        "downstream": json.dumps(lineage.downstream(table)) if node else None,
    }
