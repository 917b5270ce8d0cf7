"""Declares the columns of metrics and of verdicts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.explain import (
    AS_EXPECTED,
    EXCLUDED,
    NO_END,
    NO_VALUE,
    NOT_COMPLETE,
    NOT_ENOUGH,
    TOO_OLD,
)
from airflow_provider_elementary.arrow_values import (
    array_of,
    array_of_numbers,
    is_one_of,
    numpy_of,
    scalar_of,
    true_values,
)
from airflow_provider_elementary.elementary_schema import METRIC_KEYS
from airflow_provider_elementary.exceptions import ConfigurationError

#: What identifies a series; ``metric_properties`` does too, where it is given.
SERIES_COLUMNS = (*METRIC_KEYS, "dimension_value")

_METRIC_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(SERIES_COLUMNS, pa.string()),
    "metric_properties": pa.string(),
    "bucket_start": pa.timestamp("us"),
    "bucket_end": pa.timestamp("us"),
    "metric_value": pa.float64(),
    "updated_at": pa.timestamp("us"),
}
_METRICS_SCHEMA = pa.schema(_METRIC_TYPES)
_REQUIRED = ("full_table_name", "metric_name", "bucket_end", "metric_value")

#: Columns of the input that a verdict repeats, where they are given.
_KEYS = ("id", *SERIES_COLUMNS, "metric_properties", "bucket_start", "bucket_end", "metric_value")

_VERDICT_TYPES: dict[str, pa.DataType] = {
    "score": pa.float64(),
    "expected_value": pa.float64(),
    "expected_min": pa.float64(),
    "expected_max": pa.float64(),
    "is_anomalous": pa.bool_(),
    "kind": pa.string(),
    "reason": pa.string(),
    "training_size": pa.int64(),
}
VERDICT_SCHEMA = pa.schema(_VERDICT_TYPES)


KINDS = ("spike", "drop", "zero")
#: Where there are at most this many possible buckets for each row, those seen are marked, and not sorted.
_SEEN_AT_MOST = 16

#: In the order in which they are numbered from 1 between DuckDB and here.
REASONS = (AS_EXPECTED, NO_VALUE, NOT_ENOUGH, NO_END, EXCLUDED, TOO_OLD, NOT_COMPLETE)
_GATHERED: dict[str, type[np.generic]] = {
    "score": np.float64,
    "expected_value": np.float64,
    "expected_min": np.float64,
    "expected_max": np.float64,
    "training_size": np.int64,
    "kind": np.int8,
    "reason": np.int8,
}


def series_metrics(metrics: pa.Table) -> pa.Table:
    """Return the columns of metrics that a detection reads, all of them there and in one type, and ``point``: the row.

    Times lose their zone in UTC; series columns that are not given are null.

    :raises ConfigurationError: a column that no verdict can do without is missing, or is of another type.
    """
    missing = [name for name in _REQUIRED if name not in metrics.column_names]
    if missing:
        raise ConfigurationError(
            f"The metrics lack {', '.join(missing)}; their columns are Elementary's. "
            f"Given: {', '.join(metrics.column_names)}."
        )
    columns = []
    for field in _METRICS_SCHEMA:
        if field.name not in metrics.column_names:
            columns.append(pa.chunked_array([pa.nulls(metrics.num_rows, field.type)]))
            continue
        try:
            columns.append(_typed(metrics[field.name], field.type))
        except pa.ArrowInvalid as error:
            raise _wrong_type(field, metrics[field.name].type) from error
        except pa.ArrowNotImplementedError as error:
            raise _wrong_type(field, metrics[field.name].type) from error
    columns.append(pa.chunked_array([array_of_numbers(np.arange(metrics.num_rows))]))
    return pa.table(columns, names=[*_METRICS_SCHEMA.names, "point"])


def number_series(metrics: pa.Table) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return the series of metrics, numbered from 0 in the order in which they first occur.

    :param metrics: of :func:`series_metrics`.
    :return: the number of each row's series, and the first row of each series.
    """
    numbers = _numbered(metrics, (*SERIES_COLUMNS, "metric_properties"))
    firsts = np.zeros(int(numbers.max(initial=-1)) + 1, np.int64)
    # Of several rows of one series the last that is written is the first of them.
    firsts[numbers[::-1]] = np.arange(metrics.num_rows)[::-1]
    return numbers, firsts


def has_rewritten_buckets(metrics: pa.Table, series: npt.NDArray[np.int32]) -> bool:
    """Return whether two rows are of one bucket of one series.

    :param metrics: of :func:`series_metrics`.
    :param series: the number of each row's series.
    """
    times = _numbered(metrics, ("bucket_start", "bucket_end"))
    buckets = series.astype(np.int64) * (int(times.max(initial=0)) + 1) + times
    if (most := int(buckets.max(initial=0))) < _SEEN_AT_MOST * max(len(buckets), 1):
        seen = np.zeros(most + 1, bool)
        seen[buckets] = True
        return bool(np.count_nonzero(seen) < len(buckets))
    buckets.sort()
    return bool((buckets[1:] == buckets[:-1]).any())


def _numbered(rows: pa.Table, names: Iterable[str]) -> npt.NDArray[np.int32]:
    """Return the different values of some columns, numbered from 0 in the order in which they first occur."""
    numbers: npt.NDArray[np.int32] = np.zeros(rows.num_rows, np.int32)
    for name in names:
        codes = _codes(rows[name])
        if (codes != codes[:1]).any():
            pairs = numbers.astype(np.int64) * (int(codes.max()) + 1) + codes
            numbers = numpy_of(pc.dictionary_encode(array_of_numbers(pairs)).indices)
    return numbers


def _codes(column: pa.ChunkedArray[Any]) -> npt.NDArray[np.int32]:
    """Return a number for each value of a column, null included: equal ones have one."""
    # A dictionary that was given may hold a value twice, or null: Arrow does not join several of these.
    if pa.types.is_dictionary(column.type) and column.num_chunks > 1:
        column = column.cast(column.type.value_type)
    encoded = pc.dictionary_encode(column).combine_chunks()
    values = pa.concat_arrays([encoded.dictionary, pa.nulls(1, encoded.dictionary.type)])
    codes = numpy_of(pc.dictionary_encode(values, null_encoding="encode").indices)
    places = pc.fill_null(encoded.indices, scalar_of(len(encoded.dictionary), encoded.indices.type))
    found: npt.NDArray[np.int32] = codes[numpy_of(places)]
    return found


def gather_verdicts(batches: Iterable[pa.RecordBatch], rows: int) -> tuple[pa.Array[Any], pa.Table]:
    """Put verdicts that come in any order into the order of the metrics.

    :param batches: the columns of :data:`VERDICT_SCHEMA` but ``is_anomalous``, ``kind`` and ``reason`` as places in
        :data:`KINDS` and :data:`REASONS` from 1 (0: none), and ``point``, the row of the metrics that is scored.
    :param rows: how many metrics there are; some may have no verdict.
    :return: the rows of the metrics that are scored, and their verdicts.
    """
    is_scored = np.zeros(rows, bool)
    gathered: dict[str, np.ndarray] = {name: np.empty(rows, kind) for name, kind in _GATHERED.items()}
    for batch in batches:
        points = numpy_of(batch["point"])
        is_scored[points] = True
        for name, values in gathered.items():
            values[points] = numpy_of(batch[name])
    scored = np.flatnonzero(is_scored)
    if len(scored) < rows:
        gathered = {name: values[scored] for name, values in gathered.items()}
    # A null came out of a batch as NaN, which no score ever is.
    columns: dict[str, pa.Array[Any]] = {
        name: array_of_numbers(values, nan_is_null=True) for name, values in gathered.items()
    }
    columns["is_anomalous"] = array_of_numbers(gathered["kind"] > 0)
    columns["kind"] = _named(gathered["kind"], KINDS)
    columns["reason"] = _named(gathered["reason"], REASONS)
    return array_of_numbers(scored), pa.table([columns[name] for name in VERDICT_SCHEMA.names], schema=VERDICT_SCHEMA)


def beside_keys(metrics: pa.Table, points: pa.Array[Any], verdicts: pa.Table) -> pa.Table:
    """Return the keys of the scored metrics, as they were given, beside their verdicts.

    :param points: the rows of ``metrics`` that are scored, ascending.
    """
    keys = metrics.select([name for name in _KEYS if name in metrics.column_names])
    if len(points) < metrics.num_rows:
        keys = keys.take(points)
    for name in VERDICT_SCHEMA.names:
        keys = keys.append_column(name, verdicts[name])
    return keys


def _named(codes: np.ndarray, names: Sequence[str]) -> pa.Array[Any]:
    places = array_of_numbers(codes - 1, is_null=codes == 0)
    return pa.DictionaryArray.from_arrays(places, array_of(names, pa.string())).cast(pa.string())


def _typed(column: pa.ChunkedArray[Any], wanted: pa.DataType) -> pa.ChunkedArray[Any]:
    if pa.types.is_dictionary(column.type) and wanted == pa.string():
        return column
    if pa.types.is_timestamp(column.type) and column.type.tz:
        column = pc.cast(column, pa.timestamp(column.type.unit, "UTC"))
    return pc.cast(column, wanted, safe=not pa.types.is_timestamp(wanted))


def _wrong_type(field: pa.Field[Any], found: pa.DataType) -> ConfigurationError:
    return ConfigurationError(f"The metrics' column {field.name} is {found}. Convert it to {field.type}.")


def with_reasons(verdicts: pa.Table, reasons: Mapping[int, str], quiet: Collection[int]) -> pa.Table:
    """Return verdicts with other reasons.

    :param reasons: by row.
    :param quiet: the rows that are not flagged any more.
    """
    if not reasons:
        return verdicts
    is_changed, is_quiet = np.zeros((2, len(verdicts)), bool)
    is_changed[list(reasons)] = True
    is_quiet[list(quiet)] = True
    said = array_of([reasons[place] for place in sorted(reasons)], pa.string())
    changes = {
        "is_anomalous": pc.and_kleene(verdicts["is_anomalous"], array_of_numbers(~is_quiet)),
        "kind": pc.if_else(array_of_numbers(~is_quiet), verdicts["kind"], pa.nulls(len(verdicts), pa.string())),
        "reason": pc.replace_with_mask(verdicts["reason"].combine_chunks(), array_of_numbers(is_changed), said),
    }
    for name, column in changes.items():
        verdicts = verdicts.set_column(verdicts.column_names.index(name), name, column)
    return verdicts


def is_of_incident(verdicts: pa.Table) -> pa.ChunkedArray:
    """Return which verdicts are anomalous buckets of a table that has a name, at a time that is known."""
    is_named = pc.invert(is_one_of(verdicts["full_table_name"], "", None))
    return pc.and_(pc.and_(true_values(verdicts["is_anomalous"]), is_named), pc.is_valid(verdicts["bucket_end"]))
