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
from airflow_provider_elementary.anomalies.robust.model.transform import scale_kind
from airflow_provider_elementary.anomalies.robust.row_counts import RowCounts, counted_by
from airflow_provider_elementary.anomalies.schema import series_metrics
from airflow_provider_elementary.arrow_values import array_of_numbers, numpy_of, scalar_of, without_nulls

KEYS_SCHEMA = pa.schema([(name, pa.string()) for name in KEYS])
FREQUENCIES = (HOURLY, DAILY, OTHER, *OF_HOURS)
#: Metrics that count rows: of these, zeros before the first row say that there was no table yet.
_VOLUMES = ("row_count", "dimension")
#: A day is from 23 to 25 hours long.
_HOURLY, _DAILY = range(3_590, 3_611), range(82_800, 90_001)
_INEXACT = 10
_MICROSECONDS = 1_000_000
_TOO_LARGE = 1e150
#: How many buckets say how often a series has one.
_FIRST_BUCKETS = 3
#: Bits that hold the length of a bucket: up to a hundred days; longer ones are clipped.
_LENGTH_BITS = 23
NEVER = np.iinfo(np.int64).max


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
    :ivar row_count: per row, of how many rows its percentage is; NaN where nothing says so.
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
    row_count: npt.NDArray[np.float64]
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
    series, first = number_rows(typed, KEYS)
    start, end = (seconds_of(typed[name]) for name in ("bucket_start", "bucket_end"))
    keys = typed.select(KEYS).take(array_of_numbers(first)).cast(KEYS_SCHEMA)
    settings, value = settings_of(keys), values_of(typed["metric_value"])
    starts = np.where(start >= 0, start, end)
    firsts = FirstBuckets.of_nothing(len(first))
    firsts.add(series[end >= 0], starts[end >= 0], end[end >= 0])
    updated, counted = seconds_of(typed["updated_at"]), counted_by(keys)
    is_count = np.isin(series, counted)
    rows = {"series": series, "starts": starts, "ends": end, "value": value, "updated": updated}
    row_counts = RowCounts.of({name: column[is_count] for name, column in rows.items()})
    return buckets_of_series(
        keys=keys,
        frequency=firsts.frequencies(),
        settings=settings.settings,
        series=series,
        start=starts,
        value=value,
        updated=updated,
        mark=settings.marks(series, starts, end, value, int(end.max(initial=0))),
        row_count=row_counts.find(counted[series], starts, end),
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
    row_count: npt.NDArray[np.float64],
) -> Buckets:
    """Return the buckets of series that are numbered already; ``updated`` says which of two rows is the newer."""
    by_frequency = np.array([frequency_.seconds or 1 for frequency_ in FREQUENCIES])[frequency][series]
    kind, is_volume = scales_of_metrics(keys)
    return Buckets(
        keys=keys,
        series=series,
        frequency=frequency,
        kind=kind,
        is_volume=is_volume,
        settings=settings,
        mark=mark,
        row_count=row_count,
        start=start,
        order=_newest_of_each(series, start // by_frequency, updated),
        value=value,
    )


def scales_of_metrics(keys: pa.Table) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    """Return per series the scale of its metric, and whether it counts the rows of a table."""
    names = pc.dictionary_encode(without_nulls(keys["metric_name"], "")).unify_dictionaries().combine_chunks()
    metrics, places = names.dictionary.to_pylist(), numpy_of(names.indices)
    if not metrics:
        return np.zeros(0, np.int8), np.zeros(0, bool)
    kinds = np.array([scale_kind(name) for name in metrics], np.int8)
    volumes = np.array([name.lower() in _VOLUMES for name in metrics], bool)
    return kinds[places], volumes[places]


@dataclass
class FirstBuckets:
    """When the first buckets of each series end and how long they are, in whatever order they come.

    A day on which clocks change makes one bucket of some hours longer or shorter; of three, the other two agree. Later
    buckets change nothing, so that no verdict depends on them.

    :ivar codes: per series the end and length in one number, the earliest first, :data:`NEVER` where there is none.
    """

    codes: npt.NDArray[np.int64]

    @classmethod
    def of_nothing(cls, series: int) -> FirstBuckets:
        """Return what series without buckets have."""
        return cls(np.full((series, _FIRST_BUCKETS), NEVER))

    @property
    def is_here(self) -> npt.NDArray[np.bool_]:
        """Whether a series has any bucket."""
        return self.codes[:, 0] < NEVER

    def grow(self, series: int) -> None:
        """Make room for more series."""
        more = np.full((series - len(self.codes), _FIRST_BUCKETS), NEVER)
        self.codes = np.concatenate([self.codes, more])

    def add(self, series: npt.NDArray[np.integer], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> None:
        """Add buckets.

        :param series: of each bucket, the number of its series.
        """
        codes = (ends << _LENGTH_BITS) | np.clip(ends - starts, 0, (1 << _LENGTH_BITS) - 1)
        is_early = codes < self.codes[series, -1]
        if not is_early.any():
            return
        mine = np.unique(series[is_early])
        all_series = np.concatenate([series[is_early], np.repeat(mine, _FIRST_BUCKETS)])
        all_codes = np.concatenate([codes[is_early], self.codes[mine].ravel()])
        order = np.lexsort((all_codes, all_series))
        all_series, all_codes = all_series[order], all_codes[order]
        is_new = np.ones(len(order), bool)
        is_new[1:] = (np.diff(all_series) != 0) | (np.diff(all_codes) != 0)
        all_series, all_codes = all_series[is_new], all_codes[is_new]
        rank = np.arange(len(all_series)) - np.searchsorted(all_series, all_series)
        is_first = rank < _FIRST_BUCKETS
        self.codes[mine] = NEVER
        self.codes[all_series[is_first], rank[is_first]] = all_codes[is_first]

    def merge(self, codes: npt.NDArray[np.int64]) -> None:
        """Add the first buckets of the first series, as another object holds them."""
        both = np.concatenate([self.codes[: len(codes)], codes], axis=1)
        both.sort(axis=1)
        both[:, 1:][both[:, 1:] == both[:, :-1]] = NEVER
        both.sort(axis=1)
        self.codes[: len(codes)] = both[:, :_FIRST_BUCKETS]

    def frequencies(self) -> npt.NDArray[np.int8]:
        """Return the place in :data:`FREQUENCIES` that most of each series' first buckets have."""
        is_known = self.codes < NEVER
        places = np.where(is_known, frequency_of(self.codes & (1 << _LENGTH_BITS) - 1), -1)
        others_agree = is_known[:, 2] & (places[:, 1] == places[:, 2])
        return np.where(is_known[:, 0], np.where(others_agree, places[:, 1], places[:, 0]), 2).astype(np.int8)


def ends_of(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the end of each bucket, in seconds since 1970, by its code."""
    return codes >> _LENGTH_BITS


def frequency_of(length: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """Return the place in :data:`FREQUENCIES` of buckets by their length in seconds, 0 for those without a start."""
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


def number_rows(table: pa.Table, columns: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the number of each row's combination of values, in the order of their first rows, and these rows."""
    code = np.zeros(table.num_rows, np.int64)
    for name in columns:
        column = pc.dictionary_encode(table[name]).unify_dictionaries().combine_chunks()
        values = len(column.dictionary)
        indices = numpy_of(pc.fill_null(column.indices, scalar_of(values, column.indices.type)))
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
    seconds: npt.NDArray[np.int64] = (
        numpy_of(pc.fill_null(column.cast(pa.int64()), scalar_of(-_MICROSECONDS, pa.int64()))) // _MICROSECONDS
    )
    return seconds


def values_of(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return values; one that is no number, or too large to be squared, is none, as in Elementary's rule."""
    values = numpy_of(column).astype(np.float64)
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
