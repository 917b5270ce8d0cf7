"""Of a file only the bytes that were written are read: nothing else passes, for anyone who has the data key or not."""

from __future__ import annotations

import base64
import hashlib
import random
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.storage import file_binding
from airflow_provider_elementary.storage.encrypted_parquet import open_encrypted
from airflow_provider_elementary.storage.file_binding import FileBinding
from tests.support.encrypted_files import KEY, chunks, encrypted, modules, opened, with_forged_rows

ROWS, GROUP_ROWS = 3_000, 1_000
NAMES = ["a", "b"]


def random_table(seed: int) -> pa.Table:
    """Return doubles that no codec makes smaller, so that equal places of two files have equal sizes."""
    numbers = random.Random(seed)  # noqa: S311
    return pa.table({name: pa.array([numbers.random() for _ in range(ROWS)], pa.float64()) for name in NAMES})


TABLE = random_table(1)
CONTENT, BINDING = encrypted(TABLE, group_rows=GROUP_ROWS)
OTHER, _ = encrypted(random_table(2), group_rows=GROUP_ROWS)
CHUNKS = list(chunks(CONTENT))
FOOTER_SIZE = struct.unpack("<I", CONTENT[-8:-4])[0] + 8
FOOTER = len(CONTENT) - FOOTER_SIZE


def spliced(start: int, end: int, content: bytes, other_start: int, other_end: int) -> bytes:
    return CONTENT[:start] + content[other_start:other_end] + CONTENT[end:]


def chunk_of_another_file() -> bytes:
    [theirs] = [chunk for chunk in chunks(OTHER) if (chunk.group, chunk.column) == (1, 0)]
    ours = CHUNKS[2]
    return spliced(ours.start, ours.end, OTHER, theirs.start, theirs.end)


def chunk_of_another_column() -> bytes:
    return spliced(CHUNKS[0].start, CHUNKS[0].end, CONTENT, CHUNKS[1].start, CHUNKS[1].end)


def page_of_another_row_group() -> bytes:
    (start, end), (other_start, other_end) = modules(CONTENT, CHUNKS[0])[1], modules(CONTENT, CHUNKS[2])[1]
    return spliced(start, end, CONTENT, other_start, other_end)


def row_group_of_another_file() -> bytes:
    return OTHER[: CHUNKS[2].start] + CONTENT[CHUNKS[2].start :]


def row_groups_exchanged() -> bytes:
    first, second = CHUNKS[0].start, CHUNKS[2].start
    return CONTENT[:first] + CONTENT[second : CHUNKS[4].start] + CONTENT[first:second] + CONTENT[CHUNKS[4].start :]


def body_of_another_file() -> bytes:
    return OTHER[:FOOTER] + CONTENT[FOOTER:]


def zeroed() -> bytes:
    return CONTENT[: CHUNKS[0].start] + bytes(CHUNKS[0].end - CHUNKS[0].start) + CONTENT[CHUNKS[0].end :]


def a_bit(where: int) -> Callable[[], bytes]:
    return lambda: CONTENT[:where] + bytes([CONTENT[where] ^ 1]) + CONTENT[where + 1 :]


#: What a plain reader refuses, as the footer stays the one that was written.
UNDER_ITS_FOOTER: dict[str, Callable[[], bytes]] = {
    "chunk of another file": chunk_of_another_file,
    "chunk of another column": chunk_of_another_column,
    "page of another row group": page_of_another_row_group,
    "row group of another file": row_group_of_another_file,
    "row groups exchanged": row_groups_exchanged,
    "body of another file": body_of_another_file,
    "zeroed chunk": zeroed,
    "padding at the beginning": lambda: CONTENT[:4] + bytes(16) + CONTENT[4:],
    "bit of a page header": a_bit(modules(CONTENT, CHUNKS[0])[0][0] + 20),
    "bit of a page": a_bit(modules(CONTENT, CHUNKS[3])[1][0] + 200),
    "bit of the last page": a_bit(CHUNKS[-1].end - 1),
    "bit of the encrypted footer": a_bit(len(CONTENT) - 100),
}
#: What some plain reader takes, or what no plain reader can notice.
IN_ANOTHER_WAY: dict[str, Callable[[], bytes]] = {
    "whole file of the same key": lambda: OTHER,
    "whole file of another key": lambda: encrypted(TABLE, group_rows=GROUP_ROWS, key=bytes(32))[0],
    "same rows encrypted again": lambda: encrypted(TABLE, group_rows=GROUP_ROWS)[0],
    "rows forged with the data key": lambda: with_forged_rows(CONTENT, CHUNKS[0]),
    "bit of the format's name": a_bit(1),
    "padding before the footer": lambda: CONTENT[:FOOTER] + bytes(16) + CONTENT[FOOTER:],
    "padding after the end": lambda: CONTENT + bytes(16),
    "cut short": lambda: CONTENT[:-1],
    "cut to the footer": lambda: CONTENT[FOOTER:],
    "cut within a row group": lambda: CONTENT[: CHUNKS[2].start],
    "empty": lambda: b"",
    "twice": lambda: CONTENT + CONTENT,
}
CHANGED = UNDER_ITS_FOOTER | IN_ANOTHER_WAY


def in_pieces(binding: FileBinding) -> FileBinding:
    """Return the binding that a file larger than 8 MiB has."""
    hashes, starts = [], [0, *(chunk.start for chunk in CHUNKS if chunk.group and not chunk.column), FOOTER]
    for start, end in pairwise(starts):
        hashes.append(hashlib.sha256(CONTENT[start:end]).hexdigest())
    footer_sha256 = hashlib.sha256(CONTENT[FOOTER:]).hexdigest()
    return FileBinding(binding.rows, binding.size, binding.sha256, FOOTER_SIZE, footer_sha256, tuple(hashes))


BINDINGS = {"read whole": BINDING, "read by row groups": in_pieces(BINDING)}


def read(content: bytes, binding: FileBinding, **options: list[range]) -> pa.Table:
    def fetch(start: int, length: int) -> bytes:
        return content[start : start + length]

    return pa.Table.from_batches(open_encrypted(fetch, KEY, "data/file.parquet", binding, **options))  # type: ignore[arg-type]


class TestBinding:
    def test_sizes_and_hashes_are_those_of_the_bytes(self) -> None:
        assert (BINDING.rows, BINDING.size) == (ROWS, len(CONTENT))
        assert BINDING.sha256 == hashlib.sha256(CONTENT).hexdigest()

    def test_a_small_file_needs_no_hashes_of_its_parts(self) -> None:
        assert (BINDING.footer_size, BINDING.footer_sha256, BINDING.row_groups) == (0, "", ())

    def test_the_hashes_of_footer_and_row_groups_cover_every_byte(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(file_binding, "WHOLE_BYTES", 0)
        content, binding = encrypted(TABLE, group_rows=GROUP_ROWS)

        starts = [0, *(chunk.start for chunk in chunks(content) if chunk.group and not chunk.column)]
        ends = [*starts[1:], len(content) - binding.footer_size]

        assert binding.footer_size == struct.unpack("<I", content[-8:-4])[0] + 8
        assert binding.footer_sha256 == hashlib.sha256(content[-binding.footer_size :]).hexdigest()
        assert binding.row_groups == tuple(
            hashlib.sha256(content[start:end]).hexdigest() for start, end in zip(starts, ends, strict=True)
        )

    def test_a_file_without_rows_is_bound_too(self) -> None:
        content, binding = encrypted(TABLE.slice(0, 0), group_rows=GROUP_ROWS)

        assert binding == FileBinding(0, len(content), hashlib.sha256(content).hexdigest(), 0, "", ())


@pytest.mark.parametrize("binding", BINDINGS.values(), ids=BINDINGS)
class TestReading:
    def test_what_was_written_is_read(self, binding: FileBinding) -> None:
        assert read(CONTENT, binding) == TABLE

    @pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
    def test_anything_else_is_refused(self, binding: FileBinding, change: Callable[[], bytes]) -> None:
        with pytest.raises(SnapshotCorruptError, match=r"data/file\.parquet is not the file that was written"):
            read(change(), binding)

    def test_a_bit_anywhere_is_noticed(self, binding: FileBinding) -> None:
        for where in random.Random(3).sample(range(len(CONTENT)), 100):  # noqa: S311
            with pytest.raises(SnapshotCorruptError, match="is not the file that was written"):
                read(a_bit(where)(), binding)

    @pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
    def test_what_the_store_answers_the_second_time_is_not_read(
        self, binding: FileBinding, change: Callable[[], bytes]
    ) -> None:
        changed = change()
        asked: set[int] = set()

        def fetch(start: int, length: int) -> bytes:
            content = changed if asked & set(range(start, start + length)) else CONTENT
            asked.update(range(start, start + length))
            return content[start : start + length]

        rows = pa.Table.from_batches(open_encrypted(fetch, KEY, "data/file.parquet", binding))

        assert rows == TABLE

    def test_another_key_does_not_open_it(self, binding: FileBinding) -> None:
        with pytest.raises(SnapshotCorruptError, match="does not open with its data key"):
            list(open_encrypted(lambda start, length: CONTENT[start : start + length], bytes(32), "file", binding))


class TestRanges:
    def test_of_a_large_file_the_footer_and_the_needed_row_groups_are_fetched(self) -> None:
        fetched: list[tuple[int, int]] = []

        def fetch(start: int, length: int) -> bytes:
            fetched.append((start, length))
            return CONTENT[start : start + length]

        wanted = [range(GROUP_ROWS, GROUP_ROWS + 10)]
        rows = pa.Table.from_batches(open_encrypted(fetch, KEY, "file", in_pieces(BINDING), rows=wanted))

        assert rows == TABLE.slice(GROUP_ROWS, 10)
        assert fetched == [
            (FOOTER, FOOTER_SIZE + 1),
            (CHUNKS[2].start, CHUNKS[4].start - CHUNKS[2].start),
        ]

    def test_a_small_file_is_one_request(self) -> None:
        fetched: list[tuple[int, int]] = []

        def fetch(start: int, length: int) -> bytes:
            fetched.append((start, length))
            return CONTENT[start : start + length]

        list(open_encrypted(fetch, KEY, "file", BINDING))

        assert fetched == [(0, len(CONTENT) + 1)]

    def test_a_row_group_that_is_not_needed_may_be_damaged(self) -> None:
        damaged = a_bit(CHUNKS[0].start + 50)()

        assert read(damaged, in_pieces(BINDING), rows=[range(GROUP_ROWS, ROWS)]) == TABLE.slice(GROUP_ROWS)

    def test_hashes_of_another_number_of_row_groups_are_refused(self) -> None:
        whole = in_pieces(BINDING)
        fewer = FileBinding(
            whole.rows, whole.size, whole.sha256, whole.footer_size, whole.footer_sha256, whole.row_groups[:2]
        )

        with pytest.raises(SnapshotCorruptError, match="is not the file that was written"):
            read(CONTENT, fewer)


class TestPlainReaders:
    """Plain pyarrow and DuckDB know the data key alone."""

    def by_pyarrow(self, path: Path) -> pa.Table:
        return opened(path.read_bytes()).read()

    def by_duckdb(self, path: Path) -> pa.Table:
        with duckdb.connect() as plain:
            plain.execute(f"PRAGMA add_parquet_key('k', '{base64.b64encode(KEY).decode()}')")
            query = "FROM read_parquet(?, encryption_config = {footer_key: 'k'})"
            return plain.sql(query, params=[str(path)]).to_arrow_table()

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "encrypted.parquet"

    def test_both_read_what_was_written(self, path: Path) -> None:
        path.write_bytes(CONTENT)

        assert self.by_pyarrow(path) == TABLE
        assert self.by_duckdb(path) == TABLE

    @pytest.mark.parametrize("change", UNDER_ITS_FOOTER.values(), ids=UNDER_ITS_FOOTER)
    def test_both_refuse_what_was_changed_under_its_footer(self, path: Path, change: Callable[[], bytes]) -> None:
        path.write_bytes(change())

        with pytest.raises((OSError, pa.ArrowException)):
            self.by_pyarrow(path)
        with pytest.raises(duckdb.Error):
            self.by_duckdb(path)

    def test_both_read_rows_that_were_forged_with_the_data_key(self, path: Path) -> None:
        path.write_bytes(with_forged_rows(CONTENT, CHUNKS[0]))

        forged = self.by_pyarrow(path)

        assert forged.num_rows == ROWS
        assert forged != TABLE
        assert self.by_duckdb(path) == forged
