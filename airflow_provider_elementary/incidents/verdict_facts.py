"""Summarises verdicts: counts, anomalies, sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import METRIC_KEYS

if TYPE_CHECKING:
    import pyarrow as pa

#: The columns that :func:`verdicts_of` reads.
VERDICT_COLUMNS = (*METRIC_KEYS, "bucket_start", "bucket_end", "score", "is_anomalous", "kind", "reason")


@dataclass(frozen=True)
class Anomaly:
    """An anomalous bucket of the newest verdicts.

    :param start: of the bucket; its end where it has no start.
    :param sentence: the verdict in words, without raw values.
    """

    table: str
    column: str | None
    metric: str
    start: datetime
    end: datetime
    score: float | None
    sentence: str


# Compared by identity: each is made once and then shared.
@dataclass(frozen=True, eq=False)
class Verdicts:
    """A summary of the newest verdicts.

    :param created_at: when they were computed.
    :param parameters: of the detector.
    :param scored: number of buckets with a score.
    :param tables: tables with a verdict.
    :param anomalies: the anomalous buckets by table, the most unexpected first.
    """

    created_at: datetime
    parameters: Mapping[str, Any]
    scored: int
    tables: frozenset[str]
    anomalies: Mapping[str, tuple[Anomaly, ...]]


def verdicts_of(
    parts: Iterable[pa.Table], created_at: datetime, parameters: Mapping[str, Any]
) -> tuple[Verdicts, pa.Table]:
    """Summarise verdicts.

    :param parts: the rows, a part at a time.
    :param created_at: when they were computed.
    :param parameters: of the detector.
    :return: also the verdicts on the series that are anomalous somewhere, which incidents are derived from.
    """
    import pyarrow.compute as pc

    from airflow_provider_elementary.anomalies.schema import is_of_incident

    scored = 0
    tables: set[str] = set()
    found: list[pa.Table] = []
    for rows in parts:
        scored += len(rows) - rows["score"].null_count
        tables.update(filter(None, pc.unique(rows["full_table_name"]).to_pylist()))
        found.append(rows)
    rows = _anomalous_series(found)
    anomalies: dict[str, list[Anomaly]] = {}
    for row in rows.filter(is_of_incident(rows)).to_pylist() if len(rows) else ():
        anomalies.setdefault(row["full_table_name"], []).append(_anomaly(row))
    verdicts = Verdicts(
        created_at=created_at,
        parameters=parameters,
        scored=scored,
        tables=frozenset(tables),
        anomalies={
            table: tuple(sorted(of_table, key=lambda anomaly: -abs(anomaly.score or 0)))
            for table, of_table in anomalies.items()
        },
    )
    return verdicts, rows


def plain_rows(rows: pa.Table) -> pa.Table:
    """Return rows with strings instead of dictionaries, which differ from one row group to the next."""
    import pyarrow as pa

    fields = [
        pa.field(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type) for field in rows.schema
    ]
    return rows.cast(pa.schema(fields))


def _anomalous_series(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of the tables, columns and metrics that are anomalous somewhere: the input of incidents."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = [plain_rows(part.filter(part["is_anomalous"])) for part in parts]
    anomalies = pa.concat_tables(found) if found else pa.table({})
    if not len(anomalies):
        return anomalies
    wanted = {name: pc.unique(anomalies[name]) for name in ("full_table_name", "metric_name", "column_name")}

    def kept(part: pa.Table) -> pa.Table:
        masks = [pc.is_in(part[name].cast(pa.string()), values) for name, values in wanted.items()]
        return plain_rows(part.filter(reduce(pc.and_, masks)))

    return pa.concat_tables([kept(part) for part in parts])


def _anomaly(row: Mapping[str, Any]) -> Anomaly:
    from airflow_provider_elementary.anomalies.explain import public_sentence

    return Anomaly(
        table=row["full_table_name"],
        column=row["column_name"],
        metric=row["metric_name"],
        start=row["bucket_start"] or row["bucket_end"],
        end=row["bucket_end"],
        score=row["score"],
        sentence=public_sentence(row),
    )
