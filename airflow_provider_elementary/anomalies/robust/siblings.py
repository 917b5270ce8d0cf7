"""Reports values of a dimension that move together once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies import explain
from airflow_provider_elementary.anomalies.feedback import Feedback
from airflow_provider_elementary.anomalies.robust.series import number_rows
from airflow_provider_elementary.anomalies.schema import series_metrics, with_reasons
from airflow_provider_elementary.arrow_values import array_of_numbers, flags_of, is_one_of, numpy_of, without_nulls

Flags = npt.NDArray[np.bool_]

#: Fewest values that are many.
_FEWEST = 3
#: What counts the rows of a value counts those of its table.
_ROW_COUNT = {"dimension": "row_count"}
#: Kinds that do not say to which side a value moved.
_STILL = ("frozen",)


def flag_once(verdicts: pa.Table, share: float, feedback: Sequence[Feedback] = ()) -> pa.Table:
    """Return verdicts in which a table alarms once where many values of its dimension move to one side in a bucket.

    The value with the highest score keeps its alarm, and its reason says how many moved. Where the same metric of the
    whole table is flagged to that side, none does. Nor does any where a person said ``expected`` of the one alarm: of
    the whole table, or of one value in that bucket alone.

    :param verdicts: all of the buckets that they are on.
    :param share: of the values with a verdict, from which they are many; 0 for never.
    :param feedback: that the verdicts follow.
    """
    if not share or "dimension" not in verdicts.column_names:
        return verdicts
    is_moved = flags_of(pc.and_(verdicts["is_anomalous"], pc.invert(is_one_of(verdicts["kind"], *_STILL))))
    is_of_dimension = flags_of(pc.invert(is_one_of(verdicts["dimension"], "", None)))
    if not (is_moved & is_of_dimension).any():
        return verdicts
    is_expected = _is_expected(verdicts, is_of_dimension, feedback)
    is_mover = (is_moved | is_expected) & is_of_dimension
    if is_mover.sum() < _FEWEST:
        return verdicts
    moved = verdicts["full_table_name"].filter(array_of_numbers(is_mover)).cast(pa.string())
    places = np.flatnonzero(flags_of(is_one_of(verdicts["full_table_name"], *pc.unique(moved).to_pylist())))
    quiet, kept = _together(
        verdicts.take(array_of_numbers(places)), is_moved[places], is_expected[places], is_of_dimension[places], share
    )
    reasons = {int(places[place]): reason for place, reason in (quiet | kept).items()}
    return with_reasons(verdicts, reasons, [int(places[place]) for place in quiet])


def _is_expected(verdicts: pa.Table, is_of_dimension: Flags, feedback: Sequence[Feedback]) -> Flags:
    """Return the buckets of tables, and those of values that feedback names alone, which would be flagged without."""
    is_said = is_one_of(verdicts["reason"], explain.ROBUST_REASONS[explain.SAID_EXPECTED])
    is_expected = flags_of(is_said) & (numpy_of(verdicts["score"].cast(pa.float64())) >= 1)
    places = np.flatnonzero(is_expected & is_of_dimension)
    rows = series_metrics(verdicts.take(array_of_numbers(places)))
    is_alone = np.zeros(len(places), bool)
    for each in feedback:
        if each.kind == "expected" and each.since and each.until:
            from_start = pc.less_equal(rows["bucket_start"], pa.scalar(each.since, pa.timestamp("us")))
            to_end = pc.greater_equal(rows["bucket_end"], pa.scalar(each.until, pa.timestamp("us")))
            is_alone |= each.concerns(rows) & flags_of(from_start) & flags_of(to_end)
    is_expected[places] = is_alone
    return is_expected


def _together(
    verdicts: pa.Table, is_moved: Flags, is_expected: Flags, is_of_dimension: Flags, share: float
) -> tuple[dict[int, str], dict[int, str]]:
    """Return the reasons of the rows that are not flagged any more, and of those that stay flagged for all."""
    rows = series_metrics(verdicts)
    group, _ = number_rows(
        rows, ("full_table_name", "column_name", "metric_name", "dimension", "bucket_start", "bucket_end")
    )
    above = flags_of(pc.greater(verdicts["metric_value"], verdicts["expected_value"]))
    scored = np.bincount(group, weights=flags_of(pc.is_valid(verdicts["score"])))
    is_off = is_moved | is_expected
    movers = np.flatnonzero(is_off & is_of_dimension)
    values = numpy_of(pc.rank(without_nulls(rows["dimension_value"].cast(pa.string()), "")))
    scores = numpy_of(verdicts["score"])
    movers = movers[np.lexsort((values[movers], -scores[movers], above[movers], group[movers]))]
    side = 2 * group[movers] + above[movers]
    _, first, moved = np.unique(side, return_index=True, return_counts=True)
    tables = {
        _of_table(rows, int(place), above): bool(is_expected[place])
        for place in np.flatnonzero(is_off & ~is_of_dimension)
    }
    names = rows["dimension"].cast(pa.string())
    quiet: dict[int, str] = {}
    kept: dict[int, str] = {}
    for start, count in zip(first, moved, strict=True):
        of = int(scored[group[movers[start]]])
        if count < max(_FEWEST, share * of):
            continue
        mine = movers[start : start + count]
        flagged = mine[is_moved[mine]]
        said = f"{count} of {of} values of {names[int(mine[0])].as_py()}"
        is_table_expected = tables.get(_of_table(rows, int(mine[0]), above))
        if is_table_expected or len(flagged) < count:
            quiet |= {int(place): explain.expected_with(said) for place in flagged}
        elif is_table_expected is not None:
            quiet |= {int(place): explain.moves_with(f"{said}, as their table does") for place in mine}
        else:
            quiet |= {int(place): explain.moves_with(f"{said}, which are flagged once") for place in mine[1:]}
            kept[int(mine[0])] = f"{verdicts['reason'][int(mine[0])].as_py()}; {said} moved"
    return quiet, kept


def _of_table(rows: pa.Table, place: int, above: Flags) -> tuple[object, ...]:
    """Return the metric of the whole table that is that of a row, its bucket, and the side to which it moved."""
    names = ("full_table_name", "column_name", "bucket_start", "bucket_end")
    metric = str(rows["metric_name"][place].as_py()).lower()
    return (*(rows[name][place].as_py() for name in names), _ROW_COUNT.get(metric, metric), bool(above[place]))
