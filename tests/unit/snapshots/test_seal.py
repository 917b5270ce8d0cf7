"""Sealed files: what goes in comes out, for pyarrow and for plain DuckDB, whatever the columns are like."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from airflow_provider_elementary.snapshots.seal import open_sealed, rows_before, sealed

KEY = bytes(range(32))
ROWS = 120_000
START = datetime(2026, 1, 1)
COLUMNS = {
    "text that repeats": pa.array([f"table_{number % 20}" for number in range(ROWS)]),
    "text that does not": pa.array([f"{number:032x}" for number in range(ROWS)]),
    "text that is missing": pa.nulls(ROWS, pa.string()),
    "times that count up": pa.array([START + timedelta(seconds=7 * n) for n in range(ROWS)], pa.timestamp("us")),
    "numbers that jump": pa.array([n * 7_919 % 1_000_003 - 500_000 for n in range(ROWS)], pa.int64()),
    "numbers, some missing": pa.array([None if n % 3 else n for n in range(ROWS)], pa.int64()),
    "fractions": pa.array([n / 7 for n in range(ROWS)], pa.float64()),
    "flags": pa.array([n % 2 == 0 for n in range(ROWS)]),
}


def seal(table: pa.Table, identity: frozenset[str] = frozenset()) -> bytes:
    target = io.BytesIO()
    with sealed(target, table.schema, KEY, identity) as file:
        for batch in table.to_batches(max_chunksize=9_999):
            file.write(batch)
    return target.getvalue()


def opened(content: bytes) -> pq.ParquetFile:
    return pq.ParquetFile(pa.BufferReader(content), decryption_properties=pe.create_decryption_properties(KEY))


def write_and_fail(target: io.BytesIO) -> None:
    with sealed(target, pa.schema([("n", pa.int64())]), KEY, frozenset()) as file:
        file.write(pa.RecordBatch.from_pydict({"n": pa.array([1])}))
        raise RuntimeError("the warehouse went away")


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_for_us_and_for_plain_duckdb(name: str, tmp_path: Path) -> None:
    table = pa.table({"value": COLUMNS[name]})
    path = tmp_path / "sealed.parquet"
    path.write_bytes(seal(table))

    ours = pa.Table.from_batches(open_sealed(io.BytesIO(path.read_bytes()), KEY, "sealed.parquet"))
    with duckdb.connect() as plain:
        plain.execute(f"PRAGMA add_parquet_key('k', '{base64.b64encode(KEY).decode()}')")
        query = "FROM read_parquet(?, encryption_config = {footer_key: 'k'})"
        theirs = plain.sql(query, params=[str(path)]).to_arrow_table()

    assert ours["value"].to_pylist() == table["value"].to_pylist()
    assert theirs["value"].to_pylist() == table["value"].to_pylist()


def test_a_file_without_rows_has_its_columns() -> None:
    content = seal(pa.table(COLUMNS).slice(0, 0))

    [batch] = open_sealed(io.BytesIO(content), KEY, "empty.parquet")

    assert (batch.num_rows, batch.schema.names) == (0, list(COLUMNS))


def test_the_size_and_the_checksum_are_those_of_the_bytes() -> None:
    target = io.BytesIO()

    with sealed(target, pa.schema([("n", pa.int64())]), KEY, frozenset()) as file:
        file.write(pa.RecordBatch.from_pydict({"n": pa.array(range(10))}))

    assert (file.rows, file.size) == (10, len(target.getvalue()))
    assert file.sha256 == hashlib.sha256(target.getvalue()).hexdigest()


def test_long_values_make_small_row_groups() -> None:
    long = pa.table({"value": pa.array([os.urandom(50_000).hex() for _ in range(400)])})

    file = opened(seal(long))

    sizes = [file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)]
    assert len(sizes) >= 4
    assert max(sizes) <= 9 * 1024 * 1024


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("text that repeats", "RLE_DICTIONARY"),
        ("text that does not", "PLAIN"),
        ("times that count up", "DELTA_BINARY_PACKED"),
    ],
)
def test_a_dictionary_is_for_values_that_repeat(name: str, encoding: str) -> None:
    file = opened(seal(pa.table({"value": COLUMNS[name]})))

    encodings = file.metadata.row_group(0).column(0).encodings

    assert encoding in encodings
    assert ("RLE_DICTIONARY" in encodings) == (encoding == "RLE_DICTIONARY")


def test_a_writer_that_fails_writes_no_footer() -> None:
    target = io.BytesIO()

    with pytest.raises(RuntimeError, match="the warehouse went away"):
        write_and_fail(target)

    assert target.getvalue() == b""


@pytest.mark.parametrize(
    ("moment", "rows_before_it"),
    [
        (START, 0),
        (START + timedelta(seconds=7 * 49_999), 0),
        (START + timedelta(seconds=7 * 50_000), 50_000),
        (START + timedelta(seconds=7 * ROWS), ROWS),
    ],
)
def test_row_groups_before_a_time_are_told_by_their_statistics_and_not_read(
    moment: datetime, rows_before_it: int
) -> None:
    content = seal(pa.table({"created_at": COLUMNS["times that count up"], "n": pa.array(range(ROWS))}))

    first_row = rows_before(io.BytesIO(content), KEY, "sealed.parquet", "created_at", moment)
    rows = pa.Table.from_batches(open_sealed(io.BytesIO(content), KEY, "sealed.parquet", first_row=first_row))

    assert first_row == rows_before_it
    assert rows["n"].to_pylist() == list(range(rows_before_it, ROWS))


def test_rows_are_left_out_in_the_middle_of_a_row_group_too() -> None:
    content = seal(pa.table({"n": pa.array(range(ROWS))}))

    rows = pa.Table.from_batches(open_sealed(io.BytesIO(content), KEY, "sealed.parquet", first_row=50_001))

    assert rows["n"].to_pylist() == list(range(50_001, ROWS))


def test_times_that_are_all_missing_tell_nothing() -> None:
    content = seal(pa.table({"created_at": pa.nulls(3, pa.timestamp("us"))}))

    assert rows_before(io.BytesIO(content), KEY, "sealed.parquet", "created_at", START) == 0
