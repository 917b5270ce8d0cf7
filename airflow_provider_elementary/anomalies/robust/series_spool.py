"""Buffers streamed metrics as numbers in DuckDB, which may spill to disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from airflow_provider_elementary.anomalies.configurations import KEYS
from airflow_provider_elementary.anomalies.robust.fingerprint import Fingerprints, mixed
from airflow_provider_elementary.anomalies.robust.row_counts import NO_COUNT, RowCounts
from airflow_provider_elementary.anomalies.robust.series import KEYS_SCHEMA, FirstBuckets, seconds_of, values_of
from airflow_provider_elementary.anomalies.robust.series_index import Numbering
from airflow_provider_elementary.anomalies.robust.state import UnusableStateError
from airflow_provider_elementary.anomalies.schema import series_metrics

SLICE_ROWS = 500_000
#: Odd numbers by which the hashes of the keys' columns are put together, in two ways.
_WAYS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1342543DE82EF95))


class Spool:
    """Buckets of any number of series, given in any order and read in the order of time.

    Names and values of dimensions stay in memory, once per series; DuckDB, which may spill, is given numbers only.

    :param connection: where the numbers wait; it belongs to the spool.
    :param keys: series that are known already: they are numbered first, in their order.
    :param before: seconds since 1970: buckets that end by then are what the known series were learned from.
    :ivar firsts: of each series, the first buckets that were taken in.
    :ivar newest: seconds since 1970, the end of the newest bucket.
    :ivar seen: of each known series, what these buckets are now.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, keys: pa.Table | None = None, before: int = -1) -> None:
        self._connection = connection
        self._before = before
        self.newest = -1
        self._numbering = Numbering()
        self._keys: list[pa.Table] = []
        self.firsts = FirstBuckets.of_nothing(0)
        connection.execute(_ROWS)
        self._nothing = np.uint64(connection.sql("SELECT hash(NULL::VARCHAR)").fetchall()[0][0])
        if keys is not None:
            self._number(keys)
        self.seen = Fingerprints.of_nothing(len(self.firsts.codes))

    @property
    def keys(self) -> pa.Table:
        """The keys of each series, in the order of their numbers."""
        return pa.concat_tables(self._keys) if self._keys else KEYS_SCHEMA.empty_table()

    def add(self, metrics: pa.Table) -> npt.NDArray[np.int32]:
        """Take rows in; a bucket without an end is left out.

        :return: the number of each row's series.
        :raises ConfigurationError: a column that no verdict can do without is missing, or is of another type.
        """
        series, rows = self._numbered(metrics)
        self._add(rows)
        return series

    def add_of(self, metrics: pa.Table, is_wanted: npt.NDArray[np.bool_]) -> None:
        """Take in the rows of some series that end by the time before which series are known.

        :param is_wanted: per series, in the order of their numbers.
        :raises UnusableStateError: there are rows of a series that is not among them.
        """
        _, rows = self._numbered(metrics)
        if (rows["series"] >= len(is_wanted)).any():
            raise UnusableStateError("it lacks series that its metrics have")
        self._add(_some(rows, is_wanted[rows["series"]] & (rows["ends"] <= self._before)))

    def remove(self, metrics: pa.Table) -> None:
        """Take rows out of what the buckets are that the known series were learned from."""
        _, rows = self._numbered(metrics)
        old = _some(rows, self._is_old(rows))
        self.seen.remove(old["series"], old["starts"], old["ends"], old["value"])

    def _numbered(self, metrics: pa.Table) -> tuple[npt.NDArray[np.int32], dict[str, npt.NDArray[Any]]]:
        """Return the number of each row's series, and the rows that have an end."""
        typed = series_metrics(metrics)
        series = self._number(typed)
        start, end = (seconds_of(typed[name]) for name in ("bucket_start", "bucket_end"))
        rows: dict[str, npt.NDArray[Any]] = {
            "series": series,
            "ends": end,
            "starts": np.where(start >= 0, start, end),
            "value": values_of(typed["metric_value"]),
            "updated": seconds_of(typed["updated_at"]),
        }
        return series, _some(rows, end >= 0)

    def _add(self, rows: Mapping[str, npt.NDArray[Any]]) -> None:
        self.newest = max(self.newest, int(rows["ends"].max(initial=-1)))
        self.firsts.add(rows["series"], rows["starts"], rows["ends"])
        old = _some(rows, self._is_old(rows))
        self.seen.add(old["series"], old["starts"], old["ends"], old["value"])
        self._connection.register("incoming", pa.table({name: pa.array(values) for name, values in rows.items()}))
        self._connection.execute("INSERT INTO rows SELECT * FROM incoming")
        self._connection.unregister("incoming")

    def _is_old(self, rows: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
        is_old: npt.NDArray[np.bool_] = (rows["ends"] <= self._before) & (rows["series"] < len(self.seen.buckets))
        return is_old

    def slices(
        self, first: int, after: npt.NDArray[np.int64], until: int, counted: npt.NDArray[np.int64]
    ) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Yield the rows of consecutive series in the order of time, in slices of whole days.

        :param first: the first of these series.
        :param after: per series, seconds since 1970: only buckets that end later are wanted.
        :param until: the last second at which a wanted bucket ends.
        :param counted: per series, the one that counts its rows; see :func:`~.row_counts.counted_by`.
        :return: ``series`` (counted from ``first``), ``ends``, ``starts``, ``value``, ``updated`` and ``row_count`` of
            each row.
        """
        own = np.arange(first, first + len(after))
        is_counted = counted != NO_COUNT
        counting = np.unique(counted[is_counted])
        numbers = np.concatenate([own, counted[is_counted]])
        # A series that counts rows is read from where the first of those begins whose rows it counts.
        wanted = pa.table({"series": numbers.astype(np.int32), "after": np.concatenate([after, after[is_counted]])})
        self._connection.register("wanted", wanted)
        given = {"earliest": int(after.min(initial=until)), "until": until}
        for rows in _whole_days(self._connection.sql(_ORDERED, params=given).to_arrow_reader(SLICE_ROWS)):
            mine = (rows["series"] >= first) & (rows["series"] < first + len(after))
            mine[mine] = rows["ends"][mine] > after[rows["series"][mine] - first]
            row_counts = RowCounts.of(_some(rows, np.isin(rows["series"], counting)))
            rows = _some(rows, mine)
            row_count = row_counts.find(counted[rows["series"] - first], rows["starts"], rows["ends"])
            yield {**rows, "series": rows["series"] - np.int32(first), "row_count": row_count}
        self._connection.unregister("wanted")

    def _number(self, rows: pa.Table) -> npt.NDArray[np.int32]:
        """Return the number of each row's series; new ones are numbered in the order of their first rows."""
        if not rows.num_rows:
            return np.zeros(0, np.int32)
        series, new = self._numbering.number(self._codes(rows))
        if len(new):
            self._keys.append(rows.select(KEYS).take(pa.array(new)).cast(KEYS_SCHEMA))
            self.firsts.grow(len(self._numbering.known))
        return series

    def _codes(self, rows: pa.Table) -> npt.NDArray[np.uint64]:
        """Return 128 bits of each row's keys: the hashes of its columns, put together in two ways."""
        # A column without a value hashes to what nothing hashes to; one is kept, so that there are rows to count.
        given = [name for name in KEYS if rows[name].null_count < rows.num_rows] or [KEYS[0]]
        self._connection.register("incoming", rows.select(given))
        hashes = ", ".join(f"hash({name}) AS {name}" for name in given)
        found = self._connection.sql(f"SELECT {hashes} FROM incoming").to_arrow_table()  # noqa: S608 - constants
        self._connection.unregister("incoming")
        codes = np.empty((rows.num_rows, len(_WAYS)), np.uint64)
        columns = [found[name].to_numpy() if name in given else self._nothing for name in KEYS]
        for place, way in enumerate(_WAYS):
            code = np.zeros(rows.num_rows, np.uint64)
            for column in columns:
                code *= way
                code += column
            codes[:, place] = mixed(code)
        return codes


def _some(rows: Mapping[str, npt.NDArray[Any]], chosen: npt.NDArray[np.bool_]) -> dict[str, npt.NDArray[Any]]:
    return dict(rows) if chosen.all() else {name: values[chosen] for name, values in rows.items()}


def _whole_days(ordered: pa.RecordBatchReader) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Yield rows in the order of time so that those that end on one day come together."""
    rest: pa.Table | None = None
    for batch in ordered:
        rows = pa.concat_tables([*([rest] if rest is not None else []), pa.Table.from_batches([batch])])
        day = rows["ends"].to_numpy() // 86_400
        whole = int(np.searchsorted(day, day[-1])) if len(day) else 0
        rest = rows.slice(whole)
        if whole:
            yield _arrays(rows.slice(0, whole))
    if rest is not None and rest.num_rows:
        yield _arrays(rest)


def _arrays(rows: pa.Table) -> dict[str, npt.NDArray[Any]]:
    return {name: rows[name].to_numpy() for name in rows.column_names}


_ROWS = "CREATE TEMP TABLE rows (series INTEGER, ends BIGINT, starts BIGINT, value DOUBLE, updated BIGINT)"

_ORDERED = """
SELECT rows.* FROM rows JOIN (SELECT series, min(after) AS after FROM wanted GROUP BY series) AS wanted USING (series)
WHERE ends > after AND ends > $earliest AND ends <= $until
ORDER BY ends, value
"""
