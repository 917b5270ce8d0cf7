"""Selects recent verdicts and summarises the worst of them in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.explain import public_sentence
from airflow_provider_elementary.anomalies.schema import is_of_incident
from airflow_provider_elementary.times import before

_LISTED = 20


@dataclass(frozen=True)
class Summary:
    """Verdicts in short; it holds no raw values, so that it may go to XCom, logs and alerts.

    :param scored: buckets that got a score.
    :param anomalous: buckets that are anomalous.
    :param tables: tables with an anomalous bucket, the one with most first.
    :param anomalies: the anomalies with the highest scores: table, column, metric, bucket, score, kind, reason.
    :param by_dimension: anomalous buckets of single dimension values, which are raw values and so only counted here.
    """

    scored: int
    anomalous: int
    tables: tuple[str, ...]
    anomalies: tuple[dict[str, Any], ...]
    by_dimension: int


def recent(verdicts: pa.Table, days: int, newest: datetime | None = None) -> pa.Table:
    """Return the verdicts on buckets that end within the last days before the newest bucket's end.

    :param days: how many days back; counted from the data, so that an old snapshot can be scored as well.
    :param newest: the newest bucket's end, where it is not that of these verdicts.
    """
    newest = newest or pc.max(verdicts["bucket_end"]).as_py()
    if newest is None:
        return verdicts
    oldest = pa.scalar(before(newest, timedelta(days=days)), verdicts["bucket_end"].type)
    return verdicts.filter(pc.greater(verdicts["bucket_end"], oldest))


def summarise_verdicts(verdicts: pa.Table) -> Summary:
    """Return verdicts in short."""
    anomalies = verdicts.filter(is_of_incident(verdicts))
    tables = pc.value_counts(anomalies["full_table_name"]).to_pylist()
    of_dimensions = pc.is_valid(anomalies["dimension"])
    listed = anomalies.filter(pc.invert(of_dimensions))
    worst = listed.append_column("magnitude", pc.abs(listed["score"])).sort_by(
        [("magnitude", "descending"), ("bucket_end", "descending"), ("full_table_name", "ascending")]
    )
    return Summary(
        scored=len(verdicts) - verdicts["score"].null_count,
        anomalous=len(anomalies),
        tables=tuple(
            count["values"] for count in sorted(tables, key=lambda count: (-count["counts"], count["values"]))
        ),
        anomalies=tuple(_brief(row) for row in worst.slice(0, _LISTED).to_pylist()),
        by_dimension=pc.sum(of_dimensions).as_py() or 0,
    )


def tables_by_score(verdicts: pa.Table) -> dict[str, dict[str, Any]]:
    """Return each anomalous table in short, the one with the highest score first; without raw values.

    :param verdicts: may have the column ``severity`` of :func:`~airflow_provider_elementary.incidents.enrich.enrich`.
    """
    by_table: dict[str, list[dict[str, Any]]] = {}
    for row in verdicts.filter(is_of_incident(verdicts)).to_pylist():
        by_table.setdefault(row["full_table_name"], []).append(row)
    found = {
        table: sorted(rows, key=lambda row: (row["dimension"] is not None, -abs(row["score"] or 0)))
        for table, rows in by_table.items()
    }
    worst_first = sorted(found.items(), key=lambda item: (-abs(item[1][0]["score"] or 0), item[0]))
    return {
        table: {
            "table": table,
            "anomalous": len(rows),
            "severity": "error" if "error" in {row.get("severity") for row in rows} else "warn",
            "metrics": sorted({row["metric_name"] for row in rows}),
            "kinds": sorted({row["kind"] for row in rows if row["kind"]}),
            "worst": _brief(rows[0]),
        }
        for table, rows in worst_first
    }


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    start = row["bucket_start"] or row["bucket_end"]
    return {
        "table": row["full_table_name"],
        "column": row["column_name"],
        "metric": row["metric_name"],
        "bucket": start.isoformat(),
        "score": None if row["score"] is None else round(row["score"], 3),
        "kind": row["kind"],
        "reason": public_sentence(row),
    }
