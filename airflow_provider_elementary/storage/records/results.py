"""Stores metrics and verdicts, encrypted and committed by one document."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    StoreError,
    StoreRefusedError,
    UnprovedError,
)
from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.keys import DataKey, Purpose
from airflow_provider_elementary.storage.layout import (
    RESULTS,
    is_result,
    result_kind,
    result_series,
    series_key,
    shared_files,
)
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.records.result_document import RESULT, STATE, Result, ResultFile, ResultKind
from airflow_provider_elementary.storage.records.result_files import (
    ResultNames,
    read_files,
    write_rows,
)
from airflow_provider_elementary.storage.records.series import (
    Before,
    extend,
    lost_since,
    newest_first,
    recorded_place,
    sign_place,
)

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

_CATEGORIES = (Category.TABLE_METRICS, Category.AGGREGATED_METRICS)


def write_result(
    opened: OpenStore,
    kind: ResultKind,
    rows: pa.RecordBatchReader,
    *,
    run_key: str,
    origin: Mapping[str, Any],
    parameters: Mapping[str, Any],
    series: str = "",
    known: int = 0,
    state: pa.Table | None = None,
) -> Result:
    """Encrypt rows with a ``column_name`` as Aggregated metrics and those without as Table metrics.

    Rows that know no such column may be about either, and are encrypted as Aggregated metrics, the narrower of the two.

    The signed document that names the files is written last, under the next number of its series; that of an earlier
    attempt of the run is then removed.

    :param rows: what to keep, a batch at a time.
    :param run_key: what it was computed for.
    :param origin: what it was computed from.
    :param parameters: how it was computed.
    :param series: what this is the newest result of, for :func:`previous_result` of the next run.
    :param known: a number that the series had, as :func:`recorded_result` returns it.
    :param state: what the next run continues with, of the category Run results; it is left out where the keys have no
        master key of it.
    """
    opened.documents.require_signer()
    data_keys = {category: opened.keys.new_data_key(category, Purpose.RESULT) for category in _CATEGORIES}
    names = ResultNames(kind, series, run_key)
    files = write_rows(opened, names, rows, rows.schema, data_keys, always=_CATEGORIES)
    if state is not None:
        try:
            data_keys[STATE] = opened.keys.new_data_key(STATE, Purpose.RESULT)
        except KeyUnavailableError as error:
            log.warning("the next run reads everything: %s", error)
        else:
            files += write_rows(
                opened, names, state.to_batches(), state.schema, data_keys, category=STATE, always=[STATE]
            )
    return commit_result(opened, names, files, data_keys, origin=origin, parameters=parameters, known=known)


def commit_result(
    opened: OpenStore,
    names: ResultNames,
    files: Iterable[ResultFile],
    data_keys: Mapping[Category, DataKey],
    *,
    origin: Mapping[str, Any],
    parameters: Mapping[str, Any],
    known: int = 0,
) -> Result:
    """Write the signed document that names the files of a result; see :func:`write_result`.

    :param files: those that were written for it, and those of earlier results of the series that are part of it.
    :param data_keys: by which all of them open.
    """
    kind, series, run_key = names.kind, names.series, names.run_key
    folder = result_series(kind, series)
    named_files = tuple(files)
    before: Result | None = None

    def named(place: Before, newest: Result | None) -> Result:
        nonlocal before
        if newest is not None and place.previous is not None:
            before = checked_result(newest, series_key(folder, place.previous.number))
        return Result(
            key=place.name,
            kind=kind,
            series=series,
            run_key=run_key,
            created_at=_now().isoformat(timespec="seconds"),
            origin=_plain(origin),
            parameters=_plain(parameters),
            files=named_files,
            keys={category.value: key.wrapped for category, key in data_keys.items()},
            previous=place.previous,
            previous_run=place.previous_run,
        )

    result = extend(opened.documents, folder, RESULT, named, Role.RESULTS, run_key=run_key, known=known).document
    if before is not None and (before.kind, before.series, before.run_key) == (kind, series, run_key):
        if kind in ("metrics", "queries"):
            # A concurrent run may store its files as part of its own result; prune deletes those of no result.
            opened.store.delete(before.key)
        else:
            delete_result(opened, before)
    if named_files:
        log.info("wrote %s %s to %s", f"{result.rows:,}", kind, opened.store.uri)
    return result


def read_result(opened: OpenStore, key: str) -> pa.RecordBatchReader:
    """Stream the rows of a result.

    :param key: the result's key, as the task that computed it returned it.
    :raises SnapshotNotFoundError: the store holds no such result.
    :raises KeyUnavailableError: the keys do not open it.
    """
    from airflow_provider_elementary.source import reader_of_first

    if (result := find_result(opened, key)) is None:
        raise SnapshotNotFoundError(f"{opened.uri} holds no {key}. Run the task that computes it first.")
    # An empty one says no more than the others.
    files = [file for file in result.row_files if file.rows] or result.row_files[:1]
    return reader_of_first(read_files(opened, result, files))


def latest_result(opened: OpenStore, kind: ResultKind) -> Result | None:
    """Return the newest result of a kind, or None where there is none."""
    return max(all_results(opened, result_kind(kind)).values(), key=lambda result: result.created_at, default=None)


def previous_result(opened: OpenStore, kind: ResultKind, series: str, run_key: str) -> Result | None:
    """Return the newest result of a series that is not of this run, or None: a second try sees what the first did.

    :param series: as given to :func:`write_result`.
    :param run_key: what the result now in the making is computed for.
    """
    return next(earlier_results(opened, kind, series, run_key), None)


def earlier_results(opened: OpenStore, kind: ResultKind, series: str, run_key: str) -> Iterator[Result]:
    """Yield the results of a series that are not of this run, the newest first; see :func:`previous_result`."""
    return (found for found in _of_series(opened, kind, series) if found.run_key != run_key)


def newest_result(opened: OpenStore, kind: ResultKind, series: str) -> Result | None:
    """Return the newest result of a series, of this run or of one before, or None.

    :param series: as given to :func:`write_result`.
    """
    return next(_of_series(opened, kind, series), None)


def anchor_result(opened: OpenStore, result: Result) -> str:
    """Return a signed statement that the store has a result, to be kept outside it."""
    return sign_place(opened.documents, result.key, sha256(RESULT.write(result)), Role.RESULTS)


def recorded_result(opened: OpenStore, kind: ResultKind, series: str, anchor: Any) -> tuple[int, str | None]:
    """Return the number in a series that was recorded outside the store, and what was removed since, in a sentence.

    :param anchor: what :func:`anchor_result` returned in an earlier run, or whatever is found in its place.
    """
    folder = result_series(kind, series)
    place = recorded_place(opened.documents, folder, anchor, Role.RESULTS)
    return place.number if place else 0, lost_since(opened.documents, folder, RESULT, Role.RESULTS, place)


def find_result(opened: OpenStore, key: str, expected: str | None = None) -> Result | None:
    """Return what describes a result, or None where the store holds none of that key.

    :param expected: the SHA-256 of its JSON, where a proved document names it.
    :raises UnprovedError: no key that may sign results signed it, or the key is no name of a result.
    :raises SnapshotCorruptError: it is proved, and not valid.
    """
    if not isinstance(key, str) or not is_result(key):
        raise UnprovedError("The key of a result is not valid. Run the task that computes the result again.")
    found = opened.documents.read(key, RESULT, Role.RESULTS, expected=expected)
    return checked_result(found.document, key) if found is not None else None


def all_results(opened: OpenStore, prefix: str = RESULTS, *, unreadable: set[str] | None = None) -> dict[str, Result]:
    """Return every result of a store by its key; what is none is passed over.

    :param prefix: of the results.
    :param unreadable: takes in the keys of those that may be results and cannot be read.
    """
    found = {}
    for entry in opened.store.list(prefix):
        if is_result(entry.key):
            try:
                if (result := find_result(opened, entry.key)) is not None:
                    found[entry.key] = result
            except (SnapshotCorruptError, StoreRefusedError, KeyUnavailableError) as error:
                log.warning("ignoring %s: %s", entry.key, error)
                if unreadable is not None and not isinstance(error, UnprovedError):
                    unreadable.add(entry.key)
    return found


def kept_for_next_run(results: Mapping[str, Result]) -> set[str]:
    """Return the newest result of each series, of the run before, and the newest of the latest snapshot."""
    runs: dict[tuple[str, str], list[str]] = {}
    found: set[str] = set()
    latest: dict[tuple[str, str], tuple[int, str]] = {}
    # The newest number of a series has the least name.
    for key, result in sorted(results.items()):
        # The next metrics continue with it, whatever was computed of a warehouse or an older snapshot since.
        number = result.parameters.get("snapshot")
        series = (result.kind, result.series)
        if isinstance(number, int) and number > latest.get(series, (0, ""))[0]:
            latest[series] = (number, key)
        newest = runs.setdefault((result.kind, result.series), [])
        # The next run of a history continues with the newest result, no matter which run wrote it.
        if result.run_key not in newest and len(newest) < (1 if result.kind == "queries" else 2):
            newest.append(result.run_key)
            found.add(key)
    return found | {key for _, key in latest.values()}


def delete_result(opened: OpenStore, result: Result) -> None:
    """Remove a result; its files go first, so that what a crash leaves is still found by its document."""
    # Those of other runs are part of their results too.
    if names := [file.key for file in result.files if file.key.startswith(result.file_prefix)]:
        if kept := opened.store.delete_many(names):
            raise StoreError(
                f"{len(kept)} files of {result.key} in {opened.store.uri} could not be deleted, {kept[0].key} first "
                f"({kept[0].reason}). Allow s3:DeleteObject there, and retry."
            )
    opened.store.delete(result.key)


def _of_series(opened: OpenStore, kind: ResultKind, series: str) -> Iterator[Result]:
    """Yield the results of a series, the newest first."""
    for found in newest_first(opened.documents, result_series(kind, series), RESULT, Role.RESULTS):
        yield checked_result(found.document, found.name)


def checked_result(result: Result, key: str) -> Result:
    """Return a result whose names are those that its writer computes.

    :raises SnapshotCorruptError: they are others.
    """
    folder = shared_files(result.kind, result.series)
    if result.key != key or any(not file.key.startswith(folder) for file in result.files):
        raise SnapshotCorruptError(
            f"{key} is not a valid result: it names objects of another result. Compute it again."
        )
    return result


def _now() -> datetime:
    return datetime.now(UTC)


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as JSON has them."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(facts), default=str))
    return plain
