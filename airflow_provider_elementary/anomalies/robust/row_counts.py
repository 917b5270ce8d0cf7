"""Finds how many rows each percentage of a column is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.robust.fingerprint import mixed
from airflow_provider_elementary.anomalies.robust.model.transform import PERCENT, scale_kind
from airflow_provider_elementary.arrow_values import (
    array_of_numbers,
    flags_of,
    is_one_of,
    numpy_of,
    scalar_of,
    without_nulls,
)

Numbers = npt.NDArray[np.int64]

#: No series counts the rows.
NO_COUNT = -1
_ROW_COUNT = "row_count"
#: Stands between the name of a table and properties.
_BETWEEN = "\n"


def counted_by(keys: pa.Table) -> Numbers:
    """Return per series the one that counts the rows that its percentages are of, :data:`NO_COUNT` for none.

    It is the row count of the same table with the same properties: the same rows in the same buckets.

    :param keys: one row per series, with the key columns.
    """
    found = np.full(keys.num_rows, NO_COUNT, np.int64)
    names = pc.utf8_lower(without_nulls(keys["metric_name"], ""))
    percents = [name for name in pc.unique(names).to_pylist() if scale_kind(name) == PERCENT]
    is_of_column = pc.invert(is_one_of(keys["column_name"], "", None))
    is_whole = pc.and_(pc.invert(is_of_column), is_one_of(keys["dimension"], "", None))
    shares = np.flatnonzero(flags_of(pc.and_(is_one_of(names, *percents), is_of_column)))
    counts = np.flatnonzero(flags_of(pc.and_(is_one_of(names, _ROW_COUNT), is_whole)))
    if not len(shares) or not len(counts):
        return found
    some = keys.take(array_of_numbers(np.concatenate([counts, shares])))
    table, properties = (without_nulls(some[name], "") for name in ("full_table_name", "metric_properties"))
    both = pc.binary_join_element_wise(pc.utf8_upper(table), properties, scalar_of(_BETWEEN, pa.string()))
    code = numpy_of(pc.dictionary_encode(both).unify_dictionaries().combine_chunks().indices)
    of_code = np.full(code.max() + 1, NO_COUNT, np.int64)
    # Of several, as of names in another case, the first counts.
    of_code[code[: len(counts)][::-1]] = counts[::-1]
    found[shares] = of_code[code[len(counts) :]]
    return found


@dataclass(frozen=True)
class RowCounts:
    """The newest row count of each series and bucket.

    :ivar codes: hashes of series and bucket, ascending.
    """

    codes: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.float64]

    @classmethod
    def of(cls, rows: Mapping[str, npt.NDArray[Any]]) -> RowCounts:
        """Return those of some rows: ``series``, ``starts``, ``ends``, ``value`` and ``updated`` of each.

        Of rows that are as new as each other the largest value counts, whatever their order; a null is the least.
        """
        codes = _codes(rows["series"], rows["starts"], rows["ends"])
        value = rows["value"]
        order = np.lexsort((np.where(np.isnan(value), -np.inf, value), rows["updated"], codes))
        ordered = codes[order]
        is_newest = np.append(ordered[1:] != ordered[:-1], True)[: len(order)]
        return cls(ordered[is_newest], value[order][is_newest])

    def find(self, series: npt.NDArray[np.integer], starts: Numbers, ends: Numbers) -> npt.NDArray[np.float64]:
        """Return the row counts of series in buckets, NaN where there is none.

        :param series: of each bucket, the series that counts its rows, or :data:`NO_COUNT`.
        """
        found = np.full(len(series), np.nan)
        wanted = np.flatnonzero(series != NO_COUNT)
        if len(wanted) and len(self.codes):
            codes = _codes(series[wanted], starts[wanted], ends[wanted])
            places = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
            found[wanted] = np.where(self.codes[places] == codes, self.counts[places], np.nan)
        return found


def _codes(series: npt.NDArray[np.integer], starts: Numbers, ends: Numbers) -> npt.NDArray[np.uint64]:
    bucket = mixed(mixed(starts.view(np.uint64)) ^ ends.view(np.uint64))
    return mixed(bucket ^ series.astype(np.uint64))
