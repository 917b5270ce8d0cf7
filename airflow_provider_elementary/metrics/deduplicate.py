"""Deduplicates collected metrics in little memory, without plain text on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.storage.encrypted_parquet import encrypted_file, open_encrypted
from airflow_provider_elementary.storage.file_binding import FileBinding, fetch_from

#: Rows that are compared in memory; more are first written to encrypted files, all rows of an id into the same file.
ROWS_AT_ONCE = 500_000
_PARTS = 64
#: Number of rows of one part that are written at a time.
_GROUP_ROWS = 8_000
_BATCH_ROWS = 65_536

_PART_OF_ID = f"SELECT (hash(id) % {_PARTS})::UTINYINT AS part FROM ids"  # noqa: S608 - a constant
_NEWEST = """
SELECT position FROM keys
QUALIFY row_number() OVER (
    PARTITION BY coalesce(nullif(id, ''), '#' || position), day, of_table
    ORDER BY updated_at DESC NULLS LAST, created_at DESC NULLS LAST, position DESC
) = 1
ORDER BY position
"""


def newest_of_each_id(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yield of the rows with one ``id`` and one day the newest by ``updated_at``, then by ``created_at``.

    The table is append-only and may be larger than memory, and its rows hold raw values: what has to wait on disk
    waits in files encrypted with a key that only this process knows, in a folder that is removed.

    :param rows: ``id``, ``updated_at``, ``created_at``, ``bucket_end`` where it is held, and any other columns.
    """
    first, count = [], 0
    for batch in rows:
        first.append(batch)
        count += batch.num_rows
        if count > ROWS_AT_ONCE:
            break
    with bounded_connection() as engine:
        if count <= ROWS_AT_ONCE:
            yield from _newest(engine, pa.Table.from_batches(first, rows.schema))
            return
        with tempfile.TemporaryDirectory(prefix="elementary-metrics-") as folder:
            key = os.urandom(32)
            paths = [Path(folder) / f"{part}.parquet" for part in range(_PARTS)]
            bindings = _part(engine, chain(_emptied(first), rows), rows.schema, paths, key)
            for path, binding in zip(paths, bindings, strict=True):
                yield from _newest(engine, _read(path, binding, key, rows.schema))


def _newest(engine: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """Compare ids and times in DuckDB, which may spill them; the rows themselves stay out of it."""
    keys = rows.select(["id", "updated_at", "created_at"])
    keys = keys.append_column("position", pa.array(np.arange(rows.num_rows)))
    # Rows about a table and about a column are stored apart, under keys of their own.
    of_table = pc.is_null(rows["column_name"]) if "column_name" in rows.schema.names else pa.repeat(True, len(rows))
    engine.register("keys", keys.append_column("day", days_of(rows)).append_column("of_table", of_table))
    positions = engine.sql(_NEWEST).to_arrow_table()["position"]
    engine.unregister("keys")
    for start in range(0, len(positions), _BATCH_ROWS):
        yield from rows.take(positions.slice(start, _BATCH_ROWS)).combine_chunks().to_batches()


def days_of(rows: pa.Table | pa.RecordBatch) -> pa.Array | pa.ChunkedArray:
    """Return of each bucket the day in which it ends; one that ends at midnight is the day before's."""
    if "bucket_end" not in rows.schema.names:
        return pa.nulls(rows.num_rows, pa.date32())
    end = rows["bucket_end"].cast(pa.timestamp("us"))
    days = pc.subtract(end, pa.scalar(1, pa.duration("us"))).cast(pa.date32(), safe=False)
    # Before the first day that Python has, there is none to store it under.
    return pc.max_element_wise(days, pa.scalar(date.min, pa.date32()), skip_nulls=False)


def _part(
    engine: duckdb.DuckDBPyConnection,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    paths: Sequence[Path],
    key: bytes,
) -> list[FileBinding]:
    """Write each row into the file that the hash of its id names, and return by what to recognise the files."""
    with ExitStack() as stack:
        files = [
            stack.enter_context(encrypted_file(stack.enter_context(path.open("wb")), schema, key, frozenset({"id"})))
            for path in paths
        ]
        waiting = [0] * len(files)
        for batch in batches:
            for part, rows in enumerate(_split(engine, batch)):
                files[part].write(rows)
                waiting[part] += rows.num_rows
                if waiting[part] >= _GROUP_ROWS:
                    files[part].flush()
                    waiting[part] = 0
    return [file.binding for file in files]


def _split(engine: duckdb.DuckDBPyConnection, batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    engine.register("ids", pa.Table.from_batches([batch.select(["id"])]))
    parts = engine.sql(_PART_OF_ID).to_arrow_table()["part"].to_numpy()
    engine.unregister("ids")
    order = np.argsort(parts, kind="stable")
    ends = np.cumsum(np.bincount(parts, minlength=_PARTS))
    ordered = batch.take(pa.array(order))
    return [ordered.slice(start, end - start) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _read(path: Path, binding: FileBinding, key: bytes, schema: pa.Schema) -> pa.Table:
    with path.open("rb") as file:
        rows = pa.Table.from_batches(open_encrypted(fetch_from(file), key, path.name, binding), schema)
    path.unlink()
    return rows


def _emptied(batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield a list's batches and let go of each."""
    batches.reverse()
    while batches:
        yield batches.pop()
