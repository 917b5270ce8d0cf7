"""Encrypted files return what was written, for pyarrow and for plain DuckDB, with any columns."""

from __future__ import annotations

import base64
import io
import os
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from airflow_provider_elementary.storage import file_binding
from airflow_provider_elementary.storage.encrypted_parquet import Span, encrypted_file, open_encrypted, rows_within
from airflow_provider_elementary.storage.file_binding import Fetch, FileBinding, fetch_from

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


def encrypt(table: pa.Table) -> tuple[bytes, FileBinding]:
    target = io.BytesIO()
    with encrypted_file(target, table.schema, KEY, frozenset()) as file:
        for batch in table.to_batches(max_chunksize=9_999):
            file.write(batch)
    return target.getvalue(), file.binding


def fetch(content: bytes) -> Fetch:
    return fetch_from(io.BytesIO(content))


def opened(content: bytes) -> pq.ParquetFile:
    return pq.ParquetFile(pa.BufferReader(content), decryption_properties=pe.create_decryption_properties(KEY))


def write_and_fail(target: io.BytesIO) -> None:
    with encrypted_file(target, pa.schema([("n", pa.int64())]), KEY, frozenset()) as file:
        file.write(pa.RecordBatch.from_pydict({"n": pa.array([1])}))
        raise RuntimeError("the warehouse went away")


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_for_us_and_for_plain_duckdb(name: str, tmp_path: Path) -> None:
    table = pa.table({"value": COLUMNS[name]})
    path = tmp_path / "encrypted.parquet"
    content, binding = encrypt(table)
    path.write_bytes(content)

    ours = pa.Table.from_batches(open_encrypted(fetch(content), KEY, "encrypted.parquet", binding))
    with duckdb.connect() as plain:
        plain.execute(f"PRAGMA add_parquet_key('k', '{base64.b64encode(KEY).decode()}')")
        query = "FROM read_parquet(?, encryption_config = {footer_key: 'k'})"
        theirs = plain.sql(query, params=[str(path)]).to_arrow_table()

    assert ours["value"].to_pylist() == table["value"].to_pylist()
    assert theirs["value"].to_pylist() == table["value"].to_pylist()


def test_a_file_without_rows_has_its_columns() -> None:
    content, binding = encrypt(pa.table(COLUMNS).slice(0, 0))

    [batch] = open_encrypted(fetch(content), KEY, "empty.parquet", binding)

    assert (batch.num_rows, batch.schema.names) == (0, list(COLUMNS))


def test_long_values_make_small_row_groups() -> None:
    long = pa.table({"value": pa.array([os.urandom(50_000).hex() for _ in range(400)])})

    file = opened(encrypt(long)[0])

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
    file = opened(encrypt(pa.table({"value": COLUMNS[name]}))[0])

    encodings = file.metadata.row_group(0).column(0).encodings

    assert encoding in encodings
    assert ("RLE_DICTIONARY" in encodings) == (encoding == "RLE_DICTIONARY")


def test_a_writer_that_fails_writes_no_footer() -> None:
    target = io.BytesIO()

    with pytest.raises(RuntimeError, match="the warehouse went away"):
        write_and_fail(target)

    assert target.getvalue() == b""


class TestOnlyAPart:
    """Of a file of two row groups, whose days are 1 to 3 and 4 to 6."""

    @pytest.fixture(params=["read whole", "read by row groups"], autouse=True)
    def way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        if request.param == "read by row groups":
            monkeypatch.setattr(file_binding, "WHOLE_BYTES", 0)

    @pytest.fixture
    def content(self) -> tuple[bytes, FileBinding]:
        days = [datetime(2026, 1, day) for day in range(1, 7)]
        table = pa.table({"day": pa.array(days, pa.timestamp("us")), "n": range(6), "text": list("abcdef")})
        target = io.BytesIO()
        with encrypted_file(target, table.schema, KEY, frozenset()) as file:
            for batch in table.to_batches(max_chunksize=3):
                file.write(batch)
                file.flush()
        return target.getvalue(), file.binding

    def numbers(self, content: tuple[bytes, FileBinding], span: Span) -> list[int]:
        batches = open_encrypted(fetch(content[0]), KEY, "days.parquet", content[1], columns={"n"}, span=span)
        return [number for batch in batches for number in batch["n"].to_pylist()]

    def test_columns_are_those_asked_for(self, content: tuple[bytes, FileBinding]) -> None:
        batches = list(
            open_encrypted(fetch(content[0]), KEY, "days.parquet", content[1], columns={"text", "day", "unknown"})
        )

        assert [batch.schema.names for batch in batches] == [["day", "text"]] * 2

    def test_texts_are_dictionaries_where_that_is_asked_for(self, content: tuple[bytes, FileBinding]) -> None:
        batches = open_encrypted(fetch(content[0]), KEY, "days.parquet", content[1], dictionaries=("text", "unknown"))

        texts = [batch["text"] for batch in batches]
        assert [pa.types.is_dictionary(text.type) for text in texts] == [True] * 2
        assert [text.to_pylist() for text in texts] == [["a", "b", "c"], ["d", "e", "f"]]

    def test_row_groups_of_other_times_are_passed_over(self, content: tuple[bytes, FileBinding]) -> None:
        assert self.numbers(content, Span("day", datetime(2026, 1, 5), None)) == [3, 4, 5]
        assert self.numbers(content, Span("day", None, datetime(2026, 1, 4))) == [0, 1, 2]
        assert self.numbers(content, Span("day", datetime(2026, 1, 3), datetime(2026, 1, 5))) == [0, 1, 2, 3, 4, 5]

    def test_where_no_row_group_is_of_the_time_an_empty_batch_has_the_columns(
        self, content: tuple[bytes, FileBinding]
    ) -> None:
        span = Span("day", datetime(2026, 2, 1), None)

        [batch] = open_encrypted(fetch(content[0]), KEY, "days.parquet", content[1], columns={"n"}, span=span)

        assert (batch.num_rows, batch.schema) == (0, pa.schema({"n": pa.int64()}))

    def test_a_column_of_which_nothing_is_known_leaves_nothing_out(self, content: tuple[bytes, FileBinding]) -> None:
        assert self.numbers(content, Span("hour", datetime(2026, 1, 5), None)) == [0, 1, 2, 3, 4, 5]

    def test_the_rows_of_a_time_are_found_by_their_numbers_for_files_beside_it(
        self, content: tuple[bytes, FileBinding]
    ) -> None:
        span = Span("day", datetime(2026, 1, 5), None)

        rows = rows_within(fetch(content[0]), KEY, "days.parquet", content[1], span)

        assert rows == [range(3, 6)]

    def test_rows_are_yielded_by_number_whatever_the_row_groups(self, content: tuple[bytes, FileBinding]) -> None:
        wanted = [range(1, 2), range(2, 4), range(5, 6)]

        batches = open_encrypted(fetch(content[0]), KEY, "days.parquet", content[1], columns={"n"}, rows=wanted)

        assert [number for batch in batches for number in batch["n"].to_pylist()] == [1, 2, 3, 5]

    def test_times_that_are_all_missing_leave_nothing_out(self) -> None:
        content = encrypt(pa.table({"day": pa.nulls(3, pa.timestamp("us"))}))

        rows = rows_within(fetch(content[0]), KEY, "days.parquet", content[1], Span("day", datetime(2026, 1, 5), None))

        assert rows == [range(3)]
