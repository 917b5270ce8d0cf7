"""Judging the newest buckets out of a stream of metrics: all tables or one shard of them, in memory what they need."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.detect import Method, detect
from airflow_provider_elementary.anomalies.parameters import Parameters
from airflow_provider_elementary.anomalies.summary import recent
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.metrics import METRICS_SCHEMA, judged_metrics

#: A training window starts where its period does: with the month, at the most.
_LONGEST_PERIOD = timedelta(days=31)
_COLUMNS = [name for name in METRICS_SCHEMA.names if name not in ("metric_type", "bucket_duration_hours")]


@dataclass(frozen=True)
class Judged:
    """What was judged.

    :param verdicts: on the newest buckets of the shard's tables.
    :param tables: every table of the metrics, those of other shards too.
    """

    verdicts: pa.Table
    tables: frozenset[str]


def judge_recent(
    rows: pa.RecordBatchReader,
    *,
    method: Method,
    days: int,
    parameters: Mapping[str, Any],
    shard: int = 0,
    shards: int = 1,
) -> Judged:
    """Judge the buckets that end within the last days before the newest bucket of all tables.

    The verdicts of all shards together are those of the whole; where the rows of a series are summed in another order,
    the last of a score's 16 digits may differ.

    :param rows: metrics, as :func:`~airflow_provider_elementary.metrics.compute_metrics` yields them.
    :param method: of :func:`~airflow_provider_elementary.anomalies.detect`.
    :param days: how many days back; counted from the data, so that an old snapshot can be judged as well.
    :param parameters: the method's parameters.
    :param shard: which shard of the tables, from 0.
    :param shards: how many there are.
    :raises ConfigurationError: there is no such shard, or a parameter does not fit.
    """
    if not 0 <= shard < shards:
        raise ConfigurationError(f"Expected a shard of 0 to {shards - 1}, found {shard}: shards are counted from 0.")
    # A run as of a given time picks its own buckets.
    is_windowed = method == "elementary" and not {"since", "as_of"} & set(parameters)
    history = _history(parameters, days) if is_windowed else None
    metrics, tables, newest = _read(rows, shard, shards, history)
    if newest is None:
        return Judged(detect(metrics, method=method, **parameters), tables)
    if is_windowed:
        verdicts = detect(metrics, method=method, since=newest - timedelta(days=days), **parameters)
    else:
        verdicts = recent(detect(metrics, method=method, **parameters), days, newest)
    return Judged(verdicts, tables)


def shard_of(table: str, shards: int) -> int:
    """Return the shard of a table: the same on every machine, whatever the other tables are."""
    return int.from_bytes(hashlib.sha256(table.upper().encode()).digest()[:8]) % shards


def _history(parameters: Mapping[str, Any], days: int) -> timedelta:
    """Return how far back from the newest bucket a verdict on one of the last days may look."""
    known = {name: value for name, value in parameters.items() if name != "adapter"}
    resolved = Parameters.from_arguments(known)
    return timedelta(days=days + resolved.days_back + resolved.backfill_days) + _LONGEST_PERIOD


def _read(
    rows: pa.RecordBatchReader, shard: int, shards: int, history: timedelta | None
) -> tuple[pa.Table, frozenset[str], datetime | None]:
    """Keep what is judged of the shard's tables, and nothing older than the history that a verdict needs."""
    kept: list[pa.Table] = []
    places: dict[str, bool] = {}
    newest: datetime | None = None
    for batch in _judged_batches(rows):
        newest = max(filter(None, (newest, pc.max(batch["bucket_end"]).as_py())), default=None)
        mine = _of_shard(batch, shard, shards, places)
        kept.append(_not_older(mine, newest, history))
    table = pa.concat_tables(kept) if kept else rows.schema.empty_table().select(_COLUMNS)
    return _not_older(table, newest, history), frozenset(places), newest


def _judged_batches(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    for batch in rows:
        yield judged_metrics(pa.Table.from_batches([batch]).select(_COLUMNS))


def _of_shard(batch: pa.Table, shard: int, shards: int, places: dict[str, bool]) -> pa.Table:
    for name in pc.unique(batch["full_table_name"]).to_pylist():
        if name not in places:
            places[name] = shard_of(name, shards) == shard
    if shards == 1:
        return batch
    mine = pa.array([name for name, is_mine in places.items() if is_mine], pa.string())
    return batch.filter(pc.is_in(batch["full_table_name"], mine))


def _not_older(table: pa.Table, newest: datetime | None, history: timedelta | None) -> pa.Table:
    if newest is None or history is None:
        return table
    oldest = pa.scalar(newest - history, table["bucket_end"].type)
    return table.filter(pc.greater(table["bucket_end"], oldest))
