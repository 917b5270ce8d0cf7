"""Stores metrics and verdicts, encrypted and committed by one document."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import SnapshotCorruptError, SnapshotNotFoundError
from airflow_provider_elementary.source import reader_of_first
from airflow_provider_elementary.storage.documents import STRICT, Codec, Time
from airflow_provider_elementary.storage.encrypted_parquet import encrypted_file, open_encrypted
from airflow_provider_elementary.storage.file_binding import FileBinding
from airflow_provider_elementary.storage.keys import Purpose, StoreKeys, WrappedKey
from airflow_provider_elementary.storage.layout import (
    NEWEST_RESULTS,
    RESULTS,
    is_result,
    newest_result_key,
    result_file,
    result_key,
    result_kind,
)
from airflow_provider_elementary.storage.store import Store

log = logging.getLogger(__name__)

ResultKind = Literal["metrics", "verdicts", "incidents", "alerts", "backtests", "memories"]
_CATEGORIES = (Category.TABLE_METRICS, Category.AGGREGATED_METRICS)


@dataclass(frozen=True)
class ResultFile(FileBinding):
    """One encrypted file of a result; see :class:`~.manifest.FileEntry` for the fields."""

    key: str
    category: Category


@dataclass(frozen=True)
class Result:
    """What was computed, from what, and where it is stored.

    :param key: the name of this document in the store; ``read_result`` opens it.
    :param kind: ``metrics``, ``verdicts``, ``incidents``, ``alerts``, ``backtests`` or ``memories``.
    :param run_key: what it was computed for; a second try for the same replaces it.
    :param created_at: UTC, ISO 8601.
    :param origin: what it was computed from: a snapshot's id, or a warehouse's dialect and schema.
    :param parameters: how it was computed.
    :param files: the encrypted files, one per category.
    :param keys: the wrapped data keys, by category.
    """

    key: str
    kind: ResultKind
    run_key: str
    created_at: Time
    origin: Mapping[str, Any]
    parameters: Mapping[str, Any]
    files: tuple[ResultFile, ...]
    keys: Mapping[str, WrappedKey]

    __pydantic_config__ = STRICT

    @property
    def rows(self) -> int:
        """Rows over all files."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True)
class _Newest:
    """The newest result of a series, and the one before it, by their keys."""

    newest: str | None = None
    before: str | None = None

    __pydantic_config__ = STRICT


_CODEC = Codec(Result, "result", "Compute it again.")
_NEWEST = Codec(_Newest, "pointer to the newest result", "Remove it, and compute the result again.")


def write_result(
    store: Store,
    keys: StoreKeys,
    kind: ResultKind,
    rows: pa.RecordBatchReader,
    *,
    run_key: str,
    origin: Mapping[str, Any],
    parameters: Mapping[str, Any],
    series: str | None = None,
) -> Result:
    """Encrypt rows with a ``column_name`` as Aggregated metrics and those without as Table metrics.

    Rows that know no such column may be about either, and are encrypted as Aggregated metrics, the narrower of the two.

    The document that names the files is written last and replaces that of an earlier try; readers see one or the
    other, never a mixture.

    :param rows: what to keep, a batch at a time.
    :param run_key: what it was computed for.
    :param origin: what it was computed from.
    :param parameters: how it was computed.
    :param series: what this is the newest result of, for :func:`previous_result` of the next run.
    """
    attempt = os.urandom(4).hex()
    data_keys = {category: keys.new_data_key(category, Purpose.RESULT) for category in _CATEGORIES}
    names = {category: result_file(kind, run_key, attempt, category) for category in _CATEGORIES}
    with (
        store.create(names[Category.TABLE_METRICS]) as of_tables,
        store.create(names[Category.AGGREGATED_METRICS]) as of_columns,
        encrypted_file(of_tables, rows.schema, data_keys[Category.TABLE_METRICS].plaintext, frozenset()) as table_file,
        encrypted_file(
            of_columns, rows.schema, data_keys[Category.AGGREGATED_METRICS].plaintext, frozenset()
        ) as column_file,
    ):
        for batch in rows:
            if "column_name" not in batch.schema.names:
                column_file.write(batch)
                continue
            without_column = pc.is_null(batch["column_name"])
            table_file.write(batch.filter(without_column))
            column_file.write(batch.filter(pc.invert(without_column)))
    written = {Category.TABLE_METRICS: table_file, Category.AGGREGATED_METRICS: column_file}
    result = Result(
        key=result_key(kind, run_key),
        kind=kind,
        run_key=run_key,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        origin=origin,
        parameters=parameters,
        files=tuple(
            ResultFile(key=names[category], category=category, **asdict(file.binding))
            for category, file in written.items()
        ),
        keys={category.value: key.wrapped for category, key in data_keys.items()},
    )
    superseded = find_result(store, result.key)
    store.put(result.key, _CODEC.dump(asdict(result), default=str))
    for file in superseded.files if superseded else ():
        store.delete(file.key)
    if series is not None:
        _point(store, kind, series, result.key)
    log.info("wrote %s %s to %s", f"{result.rows:,}", kind, store.uri)
    return result


def read_result(store: Store, keys: StoreKeys, key: str) -> pa.RecordBatchReader:
    """Stream the rows of a result.

    :param key: the result's key, as the task that computed it returned it.
    :raises SnapshotNotFoundError: the store holds no such result.
    :raises KeyUnavailableError: the keys do not open it.
    """
    if (result := find_result(store, key)) is None:
        raise SnapshotNotFoundError(f"{store.uri} holds no {key}. Run the task that computes it first.")
    return reader_of_first(_batches(store, keys, result))


def latest_result(store: Store, kind: ResultKind) -> Result | None:
    """Return the newest result of a kind, or None where there is none."""
    found = (find_result(store, entry.key) for entry in store.list(result_kind(kind)) if entry.key.endswith(".json"))
    return max((result for result in found if result), key=lambda result: result.created_at, default=None)


def previous_result(store: Store, kind: ResultKind, series: str, run_key: str) -> Result | None:
    """Return the newest result of a series that is not of this run, or None: a second try sees what the first did.

    :param series: as given to :func:`write_result`.
    :param run_key: what the result now in the making is computed for.
    """
    own = result_key(kind, run_key)
    found = _pointer(store, kind, series)
    key = found.before if found.newest == own else found.newest
    return find_result(store, key) if key else None


def newest_result(store: Store, kind: ResultKind, series: str) -> Result | None:
    """Return the newest result of a series, of this run or of one before, or None.

    :param series: as given to :func:`write_result`.
    """
    key = _pointer(store, kind, series).newest
    return find_result(store, key) if key else None


def find_result(store: Store, key: str) -> Result | None:
    """Return what describes a result, or None where the store holds none of that key.

    :raises SnapshotCorruptError: what is there describes none.
    """
    if (content := store.get(key)) is None:
        return None
    return _CODEC.read(content, key)


def all_results(store: Store) -> dict[str, Result]:
    """Return every result of a store by its key; what is none is passed over."""
    found = {}
    for entry in store.list(RESULTS):
        if is_result(entry.key):
            with suppress(SnapshotCorruptError):
                if (result := find_result(store, entry.key)) is not None:
                    found[entry.key] = result
    return found


def pointed_at(store: Store) -> set[str]:
    """Return the results that are the newest of their series, and those before them."""
    found: set[str] = set()
    for entry in store.list(NEWEST_RESULTS):
        with suppress(SnapshotCorruptError):
            pointer = _read_pointer(store, entry.key)
            found |= {key for key in (pointer.newest, pointer.before) if key}
    return found


def delete_result(store: Store, key: str) -> None:
    """Remove a result; its files go first, so that what a crash leaves is still found by its document."""
    if found := find_result(store, key):
        for file in found.files:
            store.delete(file.key)
    store.delete(key)


def _point(store: Store, kind: ResultKind, series: str, key: str) -> None:
    """Note the newest result of a series, and the one before it; listing all results would take longer each hour."""
    found = _pointer(store, kind, series)
    before = found.before if found.newest == key else found.newest
    store.put(newest_result_key(kind, series), json.dumps({"newest": key, "before": before}).encode())


def _pointer(store: Store, kind: ResultKind, series: str) -> _Newest:
    return _read_pointer(store, newest_result_key(kind, series))


def _read_pointer(store: Store, key: str) -> _Newest:
    content = store.get(key)
    return _NEWEST.read(content, key) if content else _Newest()


def _batches(store: Store, keys: StoreKeys, result: Result) -> Iterator[pa.RecordBatch]:
    for file in result.files:
        data_key = keys.unwrap(file.category, result.keys[file.category.value], Purpose.RESULT)
        yield from open_encrypted(partial(store.get_range, file.key), data_key, file.key, file)
