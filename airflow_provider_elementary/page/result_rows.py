"""Reads the rows of results by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from airflow_provider_elementary.incidents.verdict_facts import plain_rows
from airflow_provider_elementary.page.settings import OpenedStore

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.storage.records.result_document import Result, ResultFile

#: All of these are in memory at once, but for large ones.
_FILES_AT_ONCE = 4
#: Row groups of a large file that are fetched while one is decoded; each has a megabyte or two.
_GROUPS_AHEAD = 4
#: A larger file is read one row group at a time, after those before it.
_ROWS_AT_ONCE = 100_000
_NAMES = ("full_table_name", "column_name", "metric_name", "dimension", "metric_properties", "kind")
_HISTORY_COLUMNS = (
    *("full_table_name", "column_name", "metric_name", "dimension", "metric_properties"),
    *("bucket_start", "bucket_end", "metric_value", "updated_at"),
)


def row_groups(opened: OpenedStore, results: Sequence[Result], columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the row groups of results in their order, some files at once: each waits for requests to the store.

    :raises ElementaryError: the keys do not open them, or they were changed.
    """
    from airflow_provider_elementary.storage.parallel import in_parallel

    def read_file(found: tuple[ResultFile, bytes]) -> Iterable[pa.Table]:
        groups = _row_groups_of(opened, *found, columns)
        return list(groups) if found[0].rows <= _ROWS_AT_ONCE else groups

    files = chain.from_iterable(_opened_files(opened, result) for result in results)
    yield from chain.from_iterable(in_parallel(read_file, files, _FILES_AT_ONCE))


def rows_of_table(opened: OpenedStore, result: Result, table: str) -> pa.Table:
    """Return the metrics of one table without those of single dimension values.

    :raises ElementaryError: the keys do not open it, or it was changed.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from airflow_provider_elementary.arrow_values import is_one_of
    from airflow_provider_elementary.storage.parallel import in_parallel

    def read_file(found: tuple[ResultFile, bytes]) -> list[pa.Table]:
        parts = []
        for rows in _row_groups_of(opened, *found, _HISTORY_COLUMNS):
            mine = pc.and_(is_one_of(rows["full_table_name"], table), pc.is_null(rows["dimension"]))
            parts.append(plain_rows(rows.filter(mine)))
        return parts

    # A file for each period, of which a request to the store takes most of the time.
    found = list(chain.from_iterable(in_parallel(read_file, _opened_files(opened, result))))
    return pa.concat_tables(found) if found else pa.schema([]).empty_table()


def _opened_files(opened: OpenedStore, result: Result) -> Iterator[tuple[ResultFile, bytes]]:
    """Yield the files of a result that have rows, with their data keys."""
    from airflow_provider_elementary.storage.records.result_files import with_data_keys

    return with_data_keys(opened.repository, result, [file for file in result.row_files if file.rows])


def _row_groups_of(opened: OpenedStore, file: ResultFile, key: bytes, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the row groups of a file."""
    from airflow_provider_elementary.storage.encrypted_parquet import opened_encrypted
    from airflow_provider_elementary.storage.fetch_ahead import FOLDER_SECONDS, FetchAhead

    dictionaries = [column for column in columns if column in _NAMES]

    def get_range(part: tuple[int, int]) -> bytes:
        return opened.store.get_range(file.key, *part)

    with (
        FetchAhead(get_range, _GROUPS_AHEAD, seconds=FOLDER_SECONDS) as ahead,
        # Files are read side by side already.
        opened_encrypted(
            lambda *part: ahead.get(part), key, file.key, file, dictionaries=dictionaries, use_threads=False
        ) as reader,
    ):
        ahead.expect(reader.row_groups)
        held = [column for column in columns if column in reader.schema.names]
        for group in range(reader.metadata.num_row_groups):
            yield reader.read_row_group(group, held)
