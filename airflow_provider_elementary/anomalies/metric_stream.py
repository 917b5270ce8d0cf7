"""Streams the metrics of one shard, and keeps the newest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.stored_metrics import COLUMNS, Rows
from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.metrics import METRICS_SCHEMA, has_names, scored_metrics
from airflow_provider_elementary.times import utc_now

_A_DAY = timedelta(days=1)
_BATCH_ROWS = 100_000
_TRIM_ROWS = 500_000
_SCHEMA = pa.schema([METRICS_SCHEMA.field(name) for name in COLUMNS])


class ReadAllError(Exception):
    """Why what changed since the model state is not enough."""


def shard_of(table: str, shards: int) -> int:
    """Return the shard of a table: the same on every machine, whatever the other tables are."""
    return int.from_bytes(hashlib.sha256(table.upper().encode()).digest()[:8]) % shards


class MetricStream:
    """The metrics of one shard that are scored, a batch at a time; afterwards it knows the newest bucket.

    :ivar newest: end of the newest bucket. One that ends more than a day after it was measured is a week that has just
        begun, and says nothing about how far the others are.
    """

    def __init__(self, shard: int, shards: int) -> None:
        self._shard = shard
        self._shards = shards
        self._tables = pa.array([], pa.string())
        self._assigned = pa.array([], pa.string())
        self._mine = pa.array([], pa.string())
        self._now = utc_now()
        self.newest: datetime | None = None

    @property
    def tables(self) -> frozenset[str]:
        """Every table that was noted; one of several shards notes those of the others too."""
        return frozenset(self._tables.to_pylist())

    def read(self, reader: pa.RecordBatchReader, after: pa.Scalar | None = None) -> Iterator[pa.Table]:
        """Yield the metrics of the shard.

        :param after: only those whose buckets end later.
        """
        for rows in _gathered(reader, after):
            batch = has_names(scored_metrics(rows))
            # A wrong date ahead of the clock was not measured then.
            measured_at = pc.min_element_wise(batch["updated_at"], pa.scalar(self._now, batch["updated_at"].type))
            is_measured = pc.less_equal(pc.subtract(batch["bucket_end"], measured_at), _A_DAY)
            ends = batch["bucket_end"].filter(pc.fill_null(is_measured, True))
            self.newest = max(filter(None, (self.newest, pc.max(ends).as_py())), default=None)
            if self._shards > 1:
                self.note(batch["full_table_name"])
            yield self._of_shard(batch)

    def others(self, rows: Rows | None) -> Iterator[pa.Table]:
        """Yield metrics of the shard that say nothing of which bucket is the newest.

        :raises ReadAllError: they cannot be read any more.
        """
        if rows is None:
            return
        try:
            with rows() as reader:
                for batch in _gathered(reader):
                    yield self._of_shard(has_names(scored_metrics(batch)))
        except ElementaryError as error:
            raise ReadAllError(f"those of the run before cannot be read: {error}") from None

    def note(self, tables: pa.ChunkedArray) -> None:
        """Take the names of tables in."""
        self._tables = _distinct(self._tables, tables)

    def _of_shard(self, batch: pa.Table) -> pa.Table:
        if self._shards == 1:
            return batch
        known = len(self._assigned)
        self._assigned = _distinct(self._assigned, batch["full_table_name"])
        new = [name for name in self._assigned[known:].to_pylist() if shard_of(name, self._shards) == self._shard]
        self._mine = pa.concat_arrays([self._mine, pa.array(new, pa.string())])
        return batch.filter(pc.is_in(batch["full_table_name"], self._mine))


class RecentWindow:
    """Keeps of a stream what is not older than some time before the newest bucket.

    :param span: how long before; None keeps everything.
    :param added: the columns that the rows have beside those of the stream.
    """

    def __init__(self, stream: MetricStream, span: timedelta | None, *added: pa.Field) -> None:
        self._stream = stream
        self._span = span
        self._empty = pa.schema([*_SCHEMA, *added]).empty_table()
        self._kept: list[pa.Table] = []
        self._trim_at = _TRIM_ROWS

    def add(self, rows: pa.Table) -> None:
        """Take rows in."""
        self._kept.append(self._trimmed(rows))
        if sum(map(len, self._kept)) > self._trim_at:
            self._trim()
            self._trim_at = 2 * max(sum(map(len, self._kept)), _TRIM_ROWS)

    def rows(self) -> pa.Table:
        """Return the rows that are kept."""
        self._trim()
        # In one piece: to take rows of many pieces, Arrow copies all of them each time.
        self._kept = [pa.concat_tables(self._kept or [self._empty]).combine_chunks()]
        # The pieces, and ids that were read and not kept.
        pa.default_memory_pool().release_unused()
        return self._kept[0]

    def _trim(self) -> None:
        self._kept = [self._trimmed(rows) for rows in self._kept]

    def _trimmed(self, rows: pa.Table) -> pa.Table:
        newest = self._stream.newest
        if newest is None or self._span is None:
            return rows
        oldest = pa.scalar(newest - self._span, rows["bucket_end"].type)
        is_recent = pc.greater(rows["bucket_end"], oldest)
        return rows if pc.all(is_recent, skip_nulls=False).as_py() else rows.filter(is_recent)


def _distinct(known: pa.Array, names: pa.ChunkedArray) -> pa.Array:
    """Return the names that are known, and the others after them."""
    return pc.unique(pa.concat_arrays([known, pc.unique(names).cast(pa.string())]))


def _gathered(reader: pa.RecordBatchReader, after: pa.Scalar | None = None) -> Iterator[pa.Table]:
    """Yield batches together, so that small ones are not looked at one by one."""
    waiting: list[pa.RecordBatch] = []
    for batch in reader:
        rows = batch.select(COLUMNS)
        waiting.append(rows if after is None else rows.filter(pc.greater(rows["bucket_end"], after)))
        if sum(map(len, waiting)) >= _BATCH_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)
