"""What the page tells of a backtest: how much was judged, and what would have been anomalous where and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.anomalies.pictures import Grid

BACKTEST_COLUMNS = (
    *("full_table_name", "column_name", "metric_name", "dimension", "bucket_start", "bucket_end"),
    *("score", "is_anomalous"),
)
_METRICS_SHOWN = 25


@dataclass(frozen=True)
class Finding:
    """A metric that would have been anomalous.

    :param metric: its name, with its column in front where it has one.
    :param times: anomalous buckets.
    :param first: start of the first of them, ``last`` of the newest.
    """

    table: str
    metric: str
    times: int
    first: date
    last: date


@dataclass(frozen=True)
class Tried:
    """What a backtest found.

    :param judged: buckets that got a score.
    :param findings: the metrics that would have been anomalous most often.
    :param hidden: how many further metrics would have been anomalous.
    """

    judged: int
    grid: Grid
    findings: tuple[Finding, ...]
    hidden: int


def tried(parts: Iterable[pa.Table]) -> Tried:
    """Return what the verdicts of a backtest say; of what is as expected, only the counts are kept.

    :param parts: the verdicts, a part at a time.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from airflow_provider_elementary.anomalies.backtest import by_metric
    from airflow_provider_elementary.anomalies.pictures import Grid, grid_of

    judged = 0
    days: list[date] = []
    found: list[pa.Table] = []
    for rows in parts:
        judged += len(rows) - rows["score"].null_count
        starts = pc.coalesce(rows["bucket_start"], rows["bucket_end"])
        days += [moment.date() for moment in pc.min_max(starts).as_py().values() if moment]
        found.append(rows.filter(rows["is_anomalous"]))
    if not found:
        return Tried(judged=0, grid=Grid((), (), {}, 0, 0), findings=(), hidden=0)
    anomalies = pa.concat_tables(found)
    metrics = by_metric(anomalies).to_pylist()
    return Tried(
        judged=judged,
        grid=grid_of(anomalies, min(days, default=None), max(days, default=None)),
        findings=tuple(_finding(row) for row in metrics[:_METRICS_SHOWN]),
        hidden=max(len(metrics) - _METRICS_SHOWN, 0),
    )


def _finding(row: dict[str, Any]) -> Finding:
    from airflow_provider_elementary.anomalies.backtest import metric_in_words

    return Finding(
        table=row["full_table_name"],
        metric=metric_in_words(row),
        times=row["anomalous"],
        first=row["first"].date(),
        last=row["last"].date(),
    )
