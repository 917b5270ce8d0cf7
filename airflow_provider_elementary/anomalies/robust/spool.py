"""Metrics as they stream in, kept as numbers that may wait on disk: which series, which bucket, which value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.robust.series import KEYS, KEYS_SCHEMA, seconds_of
from airflow_provider_elementary.anomalies.verdicts import series_metrics

_HASH_BYTES = 16
SLICE_ROWS = 500_000


class Spool:
    """Buckets of any number of series, given in any order and read in the order of time.

    Names and values of dimensions stay in memory, once per series; DuckDB, which may spill, is given numbers only.

    :param connection: where the numbers wait; it belongs to the spool.
    :param keys: series that are known already: they are numbered first, in their order.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, keys: pa.Table | None = None) -> None:
        self._connection = connection
        self._known = np.zeros((0, _HASH_BYTES), np.uint8)
        self._keys: list[pa.Table] = []
        connection.execute(_ROWS)
        if keys is not None:
            self._number(keys)

    @property
    def keys(self) -> pa.Table:
        """The keys of each series, in the order of their numbers."""
        return pa.concat_tables(self._keys) if self._keys else KEYS_SCHEMA.empty_table()

    def add(self, metrics: pa.Table) -> npt.NDArray[np.int32]:
        """Take rows in; a bucket without an end is left out.

        :return: the number of each row's series.
        :raises ConfigurationError: a column that no verdict can do without is missing, or is of another type.
        """
        typed = series_metrics(metrics)
        series = self._number(typed)
        start, end = (seconds_of(typed[name]) for name in ("bucket_start", "bucket_end"))
        rows = {
            "series": series,
            "ends": end,
            "starts": np.where(start >= 0, start, end),
            "length": np.where(start >= 0, end - start, -1),
            "value": typed["metric_value"].to_numpy().astype(np.float64),
            "updated": seconds_of(typed["updated_at"]),
        }
        self._connection.register("incoming", pa.table({name: pa.array(values) for name, values in rows.items()}))
        self._connection.execute("INSERT INTO rows SELECT * FROM incoming WHERE ends >= 0")
        self._connection.unregister("incoming")
        return series

    def histories(self, before: int, until: int) -> pa.Table:
        """Tell of each series with rows: ``series``, ``length`` of its first bucket, and what its buckets are.

        ``buckets`` and ``fingerprint`` are of those that end by ``until``, ``buckets_before`` and
        ``fingerprint_before`` of those that end by ``before``; a fingerprint is another whenever a bucket has another
        value, is new or is gone.

        :param before: seconds since 1970, as is ``until``.
        """
        return self._connection.sql(_HISTORIES, params={"before": before, "until": until}).to_arrow_table()

    def slices(self, first: int, after: npt.NDArray[np.int64], until: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Yield the rows of consecutive series in the order of time, in slices of whole days.

        :param first: the first of these series.
        :param after: per series, seconds since 1970: only buckets that end later are wanted.
        :param until: the last second at which a wanted bucket ends.
        :return: ``series`` (counted from ``first``), ``ends``, ``starts``, ``value`` and ``updated`` of each row.
        """
        numbers = np.arange(first, first + len(after), dtype=np.int32)
        self._connection.register("wanted", pa.table({"series": numbers, "after": after}))
        rest: pa.Table | None = None
        ordered = self._connection.sql(_ORDERED, params={"first": first, "until": until}).to_arrow_reader(SLICE_ROWS)
        for batch in ordered:
            rows = pa.concat_tables([*([rest] if rest is not None else []), pa.Table.from_batches([batch])])
            day = rows["ends"].to_numpy() // 86_400
            whole = int(np.searchsorted(day, day[-1])) if len(day) else 0
            rest = rows.slice(whole)
            if whole:
                yield _arrays(rows.slice(0, whole))
        if rest is not None and rest.num_rows:
            yield _arrays(rest)
        self._connection.unregister("wanted")

    def _number(self, rows: pa.Table) -> npt.NDArray[np.int32]:
        """Return the number of each row's series; new ones are numbered in the order of their first rows."""
        hashes = self._hashes(rows)
        places = pc.index_in(_binary(hashes), value_set=_binary(self._known))
        if places.null_count:
            unseen = np.flatnonzero(np.asarray(places.is_null()))
            codes = pc.dictionary_encode(_binary(hashes[unseen])).indices.to_numpy()
            _, first = np.unique(codes, return_index=True)
            new = unseen[first]
            series: npt.NDArray[np.int32] = pc.fill_null(places, 0).to_numpy(zero_copy_only=False).astype(np.int32)
            series[unseen] = len(self._known) + codes
            self._known = np.concatenate([self._known, hashes[new]])
            self._keys.append(rows.select(KEYS).take(pa.array(new)).cast(KEYS_SCHEMA))
        else:
            series = places.to_numpy().astype(np.int32)
        return series

    def _hashes(self, rows: pa.Table) -> npt.NDArray[np.uint8]:
        """Return 128 bits of each row's keys: two hashes, of the keys in one order and in the other."""
        self._connection.register("incoming", rows.select(KEYS))
        found = self._connection.sql(_HASHES).to_arrow_table()
        self._connection.unregister("incoming")
        both = np.stack([found[name].to_numpy() for name in ("forwards", "backwards")], axis=1)
        return np.ascontiguousarray(both).view(np.uint8).reshape(-1, _HASH_BYTES)


def _binary(rows: npt.NDArray[np.uint8]) -> pa.Array:
    return pa.Array.from_buffers(pa.binary(_HASH_BYTES), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows))])


def _arrays(rows: pa.Table) -> dict[str, npt.NDArray[Any]]:
    return {name: rows[name].to_numpy() for name in rows.column_names}


_ROWS = """
CREATE TEMP TABLE rows (
    series INTEGER, ends BIGINT, starts BIGINT, length BIGINT, value DOUBLE, updated BIGINT
)
"""

_HASHES = f"SELECT hash({', '.join(KEYS)}) AS forwards, hash({', '.join(reversed(KEYS))}) AS backwards FROM incoming"  # noqa: S608 - constants

_HISTORIES = """
SELECT
    series,
    arg_min(length, ends) AS length,
    count(*) FILTER (WHERE ends <= $until)::UBIGINT AS buckets,
    (coalesce(sum(code) FILTER (WHERE ends <= $until), 0) % 18446744073709551616)::UBIGINT AS fingerprint,
    count(*) FILTER (WHERE ends <= $before)::UBIGINT AS buckets_before,
    (coalesce(sum(code) FILTER (WHERE ends <= $before), 0) % 18446744073709551616)::UBIGINT AS fingerprint_before
FROM (SELECT *, hash(ends, starts, value) AS code FROM rows)
GROUP BY series
ORDER BY series
"""

_ORDERED = """
SELECT (series - $first)::INTEGER AS series, ends, starts, value, updated
FROM rows JOIN wanted USING (series)
WHERE ends > after AND ends <= $until
ORDER BY ends, value
"""
