"""Reports tables whose values of a metric move together once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.robust.series import number_rows, seconds_of
from airflow_provider_elementary.anomalies.schema import series_metrics, with_reasons
from airflow_provider_elementary.arrow_values import array_of_numbers, is_one_of, numpy_of, true_values

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

#: Fewest tables that are many.
_FEWEST = 5
#: Score from which a value has moved, flagged or not.
_MOVED = 0.5
#: Seconds of a day on which clocks are put forward.
_SHORTEST_DAY = 82_800
#: Kinds that say how far a value is off, and to which side.
_OF_SIZE = ("spike", "drop", "late")


def flag_tables_once(verdicts: pa.Table, share: float) -> pa.Table:
    """Return verdicts in which one table alarms for all where a metric of many moves to one side in a bucket.

    A holiday or a storm is one cause. The value with the highest score keeps its alarm, and its reason says how many
    tables moved. Zeros, missing buckets and those shorter than a day stay flagged; values of dimensions do not count.

    :param verdicts: all of the buckets that they are on.
    :param share: of the tables with a verdict on the metric, from which they are many; 0 for never.
    """
    value, expected, score = (
        numpy_of(verdicts[name].cast(pa.float64())) for name in ("metric_value", "expected_value", "score")
    )
    is_moved = (score > _MOVED) & np.isfinite(value - expected) & _is_of_days(verdicts)
    is_of_size = _true(pc.and_(verdicts["is_anomalous"], is_one_of(verdicts["kind"], *_OF_SIZE)))
    is_whole = np.ones(len(value), bool)
    if "dimension" in verdicts.column_names:
        is_whole = _true(is_one_of(verdicts["dimension"], "", None))
    is_flagged = is_of_size & is_whole & is_moved & (value != 0)
    if not share or is_flagged.sum() <= 1:
        return verdicts
    names = pc.unique(verdicts["metric_name"].cast(pa.string()).filter(array_of_numbers(is_flagged))).to_pylist()
    is_concerned = is_whole & np.isfinite(score) & _true(is_one_of(verdicts["metric_name"], *names))
    places = np.flatnonzero(is_concerned)
    rows = series_metrics(verdicts.take(array_of_numbers(places)))
    bucket, _ = number_rows(rows, ("metric_name", "bucket_start", "bucket_end"))
    table, _ = number_rows(rows, ("full_table_name",))
    of = _tables(bucket, table, np.ones(len(places), bool))
    quiet: list[int] = []
    reasons: dict[int, str] = {}
    for is_side in (value > expected, value < expected):
        moved = _tables(bucket, table, (is_moved & is_side)[places])
        is_many = (moved >= _FEWEST) & (moved >= share * of)
        mine = np.flatnonzero((is_flagged & is_side)[places] & is_many[bucket])
        mine = mine[np.lexsort((-score[places[mine]], bucket[mine]))]
        for place, is_first in zip(mine, np.diff(bucket[mine], prepend=-1) != 0, strict=True):
            group, row = bucket[place], int(places[place])
            said = f"{rows['metric_name'][int(place)].as_py()} of {moved[group]} of {of[group]} tables"
            if is_first:
                reasons[row] = f"{verdicts['reason'][row].as_py()}; {said} moved"
            else:
                reasons[row] = f"moves with {said}, which are flagged once"
                quiet.append(row)
    return with_reasons(verdicts, reasons, quiet)


def _is_of_days(verdicts: pa.Table) -> Flags:
    """Return which buckets are a day or longer."""
    start, end = (seconds_of(series_metrics(verdicts)[name]) for name in ("bucket_start", "bucket_end"))
    is_of_days: Flags = (start >= 0) & (end - start >= _SHORTEST_DAY)
    return is_of_days


def _tables(bucket: Numbers, table: Numbers, chosen: Flags) -> Numbers:
    """Return per bucket how many tables the chosen rows are of."""
    pairs = np.unique(bucket[chosen] * (table.max() + 1) + table[chosen])
    return np.bincount(pairs // (table.max() + 1), minlength=bucket.max() + 1)


def _true(column: pa.ChunkedArray) -> Flags:
    """Return which values are true; null is not."""
    found: Flags = numpy_of(true_values(column))
    return found
