"""Turns a table of metrics into series, frequencies and numbered buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.configurations import KEYS
from airflow_provider_elementary.anomalies.robust.model.parameters import DAILY, HOURLY, OF_HOURS, OTHER, Frequency
from airflow_provider_elementary.anomalies.robust.model.settings import SeriesSettings, Settings
from airflow_provider_elementary.anomalies.robust.model.transform import kind_of
from airflow_provider_elementary.anomalies.schema import series_metrics

KEYS_SCHEMA = pa.schema([(name, pa.string()) for name in KEYS])
FREQUENCIES = (HOURLY, DAILY, OTHER, *OF_HOURS)
#: Metrics that count rows: of these, zeros before the first row say that there was no table yet.
_VOLUMES = ("row_count", "dimension")
#: A day is from 23 to 25 hours long.
_HOURLY, _DAILY = range(3_590, 3_611), range(82_800, 90_001)
_INEXACT = 10
_MICROSECONDS = 1_000_000
_TOO_LARGE = 1e150


@dataclass(frozen=True)
class Buckets:
    """The rows of a table of metrics, by series.

    :ivar keys: one row per series: :data:`KEYS`.
    :ivar series: per row, its series.
    :ivar frequency: per series, its place in :data:`FREQUENCIES`.
    :ivar kind: per series, the scale of its metric.
    :ivar is_volume: per series, whether it counts the rows of a table.
    :ivar settings: per series, what its test asks for.
    :ivar mark: per row, what people and tests say of it.
    :ivar start: per row, seconds since 1970 of the bucket's start, or of its end where it has no start.
    :ivar order: the rows that count, in the order of their buckets; a second row for a bucket replaces the first.
    """

    keys: pa.Table
    series: npt.NDArray[np.int64]
    frequency: npt.NDArray[np.int8]
    kind: npt.NDArray[np.int8]
    is_volume: npt.NDArray[np.bool_]
    settings: Settings
    mark: npt.NDArray[np.int8]
    start: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """Rows of the metrics that share a bucket: at most one per series."""

    number: int
    rows: npt.NDArray[np.int64]


def buckets_of(metrics: pa.Table, settings_of: Callable[[pa.Table], SeriesSettings]) -> Buckets:
    """Return the series and buckets of a table of metrics.

    :param settings_of: returns what tests and people ask for of series, by their keys.
    :raises ConfigurationError: a column that no verdict can do without is missing, or is of another type.
    """
    typed = series_metrics(metrics)
    series, first = numbered(typed, KEYS)
    start, end = (seconds_of(typed[name]) for name in ("bucket_start", "bucket_end"))
    keys = typed.select(KEYS).take(first).cast(KEYS_SCHEMA)
    settings, value = settings_of(keys), values_of(typed["metric_value"])
    starts = np.where(start >= 0, start, end)
    return buckets_of_series(
        keys=keys,
        frequency=frequency_of(np.where(start >= 0, end - start, -1)[first]),
        settings=settings.settings,
        series=series,
        start=starts,
        value=value,
        updated=seconds_of(typed["updated_at"]),
        mark=settings.marks(series, starts, end, value, int(end.max(initial=0))),
    )


def buckets_of_series(
    *,
    keys: pa.Table,
    frequency: npt.NDArray[np.int8],
    settings: Settings,
    series: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    value: npt.NDArray[np.float64],
    updated: npt.NDArray[np.int64],
    mark: npt.NDArray[np.int8],
) -> Buckets:
    """Return the buckets of series that are numbered already; ``updated`` says which of two rows is the newer."""
    by_frequency = np.array([frequency_.seconds or 1 for frequency_ in FREQUENCIES])[frequency][series]
    names = pc.dictionary_encode(pc.fill_null(keys["metric_name"], "")).unify_dictionaries().combine_chunks()
    metrics, places = names.dictionary.to_pylist(), names.indices.to_numpy()
    kinds = np.array([kind_of(name) for name in metrics], np.int8)
    volumes = np.array([name.lower() in _VOLUMES for name in metrics], bool)
    return Buckets(
        keys=keys,
        series=series,
        frequency=frequency,
        kind=kinds[places] if len(kinds) else np.zeros(0, np.int8),
        is_volume=volumes[places] if len(kinds) else np.zeros(0, bool),
        settings=settings,
        mark=mark,
        start=start,
        order=_newest_of_each(series, start // by_frequency, updated),
        value=value,
    )


def frequency_of(length: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """Return the place in :data:`FREQUENCIES` of buckets by their length in seconds, -1 for those without a start."""
    of_hours = [np.abs(length - (frequency.seconds or 0)) <= _INEXACT for frequency in OF_HOURS]
    places = [0, 1, *range(FREQUENCIES.index(OF_HOURS[0]), len(FREQUENCIES))]
    conditions = [np.isin(length, _HOURLY), np.isin(length, _DAILY), *of_hours]
    found: npt.NDArray[np.int8] = np.select(conditions, places, 2).astype(np.int8)
    return found


def steps(buckets: Buckets, place: int, last: npt.NDArray[np.int64]) -> Iterator[Step]:
    """Yield the buckets of one frequency in the order of time.

    :param place: of the frequency in :data:`FREQUENCIES`.
    :param last: per series, the number of its last bucket before; where a frequency has no length, buckets are counted.
    """
    rows = buckets.order[buckets.frequency[buckets.series[buckets.order]] == place]
    if not len(rows):
        return
    seconds = FREQUENCIES[place].seconds
    number = buckets.start[rows] // seconds if seconds else _counted(buckets.series[rows], last)
    by_number = np.argsort(number, kind="stable")
    rows, number = rows[by_number], number[by_number]
    breaks = np.flatnonzero(np.diff(number)) + 1
    for part in np.split(np.arange(len(rows)), breaks):
        yield Step(int(number[part[0]]), rows[part])


def numbered(table: pa.Table, columns: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the number of each row's combination of values, in the order of their first rows, and these rows."""
    code = np.zeros(table.num_rows, np.int64)
    for name in columns:
        column = pc.dictionary_encode(table[name]).unify_dictionaries().combine_chunks()
        values = len(column.dictionary)
        indices = pc.fill_null(column.indices, values).to_numpy()
        _, code = np.unique(code * (values + 1) + indices, return_inverse=True)
    _, first, code = np.unique(code, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[code], np.sort(first)


def day_of(number: int, frequency: Frequency) -> date | None:
    """Return the date of a daily bucket."""
    return date(1970, 1, 1) + timedelta(days=number) if frequency.name == DAILY.name else None


def date_of(number: int, frequency: Frequency) -> date | None:
    """Return the date on which a daily or hourly bucket starts."""
    return date(1970, 1, 1) + timedelta(seconds=number * frequency.seconds) if frequency.seconds else None


def seconds_of(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return a time column in seconds since 1970, -1 for null."""
    seconds: npt.NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), -_MICROSECONDS).to_numpy() // _MICROSECONDS
    return seconds


def values_of(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return values; one that is no number, or too large to be squared, is none, as in Elementary's rule."""
    values = column.to_numpy().astype(np.float64)
    is_value = np.abs(values) < _TOO_LARGE
    return values if is_value.all() else np.where(is_value, values, np.nan)


def _newest_of_each(
    series: npt.NDArray[np.int64], bucket: npt.NDArray[np.int64], updated: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the last row of each series and bucket by the time of its update, then by place; in order of buckets."""
    order = np.lexsort((updated, series, bucket))
    last = np.ones(len(order), bool)
    last[:-1] = (np.diff(series[order]) != 0) | (np.diff(bucket[order]) != 0)
    return order[last]


def _counted(series: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return numbers that count each series' buckets on from its last one; rows are in the order of time."""
    order = np.argsort(series, kind="stable")
    ordered = series[order]
    first = np.searchsorted(ordered, ordered)
    number = np.empty(len(series), np.int64)
    number[order] = np.maximum(last[ordered], -1) + 1 + np.arange(len(series)) - first
    return number
