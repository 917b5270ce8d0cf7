"""Writes and reads the encrypted files of a result."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.storage.file_binding import Fetch
from airflow_provider_elementary.storage.kept_files import LARGEST
from airflow_provider_elementary.storage.keys import DataKey, Purpose
from airflow_provider_elementary.storage.layout import (
    result_file,
    result_files,
)
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.records.result_document import Result, ResultFile, ResultKind

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.storage.encrypted_parquet import EncryptedFile


@dataclass(frozen=True)
class ResultNames:
    """How the files of a result are named.

    :param attempt: of the run, so that none writes over another's files.
    """

    kind: ResultKind
    series: str
    run_key: str
    attempt: str = field(default_factory=lambda: os.urandom(4).hex())

    def of(self, category: Category, period: str) -> str:
        """Return the name of a file."""
        return result_file(self.kind, self.series, self.run_key, self.attempt, category, period)

    @property
    def prefix(self) -> str:
        """How the names of all of them begin."""
        return f"{result_files(self.kind, self.series, self.run_key)}{self.attempt}-"


def write_rows(
    opened: OpenStore,
    names: ResultNames,
    rows: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    data_keys: Mapping[Category, DataKey],
    *,
    category: Category | None = None,
    period: str = "",
    always: Collection[Category] = (),
    is_kept: bool = False,
) -> list[ResultFile]:
    """Encrypt rows into a file for each category that they have; see :func:`write_result`.

    :param category: of all rows, in place of one by their ``column_name``.
    :param period: the days that they are about.
    :param always: categories that have a file even without rows.
    :param is_kept: small files are kept for the task's next run, and for those that read what it keeps.
    """
    from airflow_provider_elementary.storage.encrypted_parquet import encrypted_file

    written: dict[Category, EncryptedFile] = {}
    copies: dict[Category, _Copied] = {}
    with ExitStack() as stack:

        def file_of(category: Category) -> EncryptedFile:
            if category not in written:
                target = stack.enter_context(opened.store.create(names.of(category, period)))
                if is_kept:
                    copies[category] = _Copied(target)
                    target = cast(BinaryIO, copies[category])
                key = data_keys[category].plaintext
                written[category] = stack.enter_context(encrypted_file(target, schema, key, frozenset()))
            return written[category]

        for one in always:
            file_of(one)
        for batch in rows:
            for one, part in split_by_category(batch) if category is None else ((category, batch),):
                if part.num_rows:
                    file_of(one).write(part)
    if opened.kept is not None:
        for one, copy in copies.items():
            opened.kept.keep_file(written[one].binding.sha256, bytes(copy.content))
    return [
        ResultFile(**asdict(file.binding), key=names.of(one, period), category=one) for one, file in written.items()
    ]


class _Copied(io.RawIOBase):
    """Passes the bytes of a file on, with a copy of as many as a small file has, and of the piece after them."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.content = bytearray()

    def write(self, content: Any) -> int:
        """Pass bytes on."""
        if len(self.content) <= LARGEST:
            self.content += content
        return self._target.write(content)


def discard_files(opened: OpenStore, names: ResultNames) -> None:
    """Delete what an attempt wrote that is not committed; what stays goes with the results of its run."""
    if keys := [found.key for found in opened.store.list(names.prefix)]:
        opened.store.delete_many(keys)


def split_by_category(batch: pa.RecordBatch) -> Iterator[tuple[Category, pa.RecordBatch]]:
    """Yield the rows of each category of metrics; a row without a column is about the table."""
    import pyarrow.compute as pc

    if "column_name" not in batch.schema.names:
        yield Category.AGGREGATED_METRICS, batch
        return
    without_column = pc.is_null(batch["column_name"])
    yield Category.TABLE_METRICS, batch.filter(without_column)
    yield Category.AGGREGATED_METRICS, batch.filter(pc.invert(without_column))


def with_data_keys(
    opened: OpenStore, result: Result, files: Iterable[ResultFile]
) -> Iterator[tuple[ResultFile, bytes]]:
    """Yield files of a result with their data keys; each key is unwrapped once, as a key service bills each call."""
    data_keys: dict[Category, bytes] = {}
    for file in files:
        if (data_key := data_keys.get(file.category)) is None:
            wrapped = result.keys[file.category.value]
            data_key = data_keys[file.category] = opened.keys.unwrap(file.category, wrapped, Purpose.RESULT)
        yield file, data_key


def read_files(
    opened: OpenStore,
    result: Result,
    files: Iterable[ResultFile],
    *,
    columns: Collection[str] | None = None,
    dictionaries: Collection[str] = (),
    is_read_again: bool = False,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of some files of a result.

    :param columns: those to decode; None for all.
    :param dictionaries: columns that are returned as dictionaries, as they are stored.
    :param is_read_again: the next run of the task reads them too: small ones are kept for it.
    """
    from airflow_provider_elementary.storage.encrypted_parquet import open_encrypted

    for file, data_key in with_data_keys(opened, result, files):
        fetch: Fetch = partial(opened.store.get_range, file.key)
        if is_read_again and opened.kept is not None:
            fetch = opened.kept.fetch_of(file, fetch)
        yield from open_encrypted(fetch, data_key, file.key, file, columns=columns, dictionaries=dictionaries)
