"""Finds the earlier metrics that a run continues with."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ElementaryError, ObjectNotFoundError, StoreError
from airflow_provider_elementary.metrics.compute import COLLECTED_TABLE
from airflow_provider_elementary.metrics.periods import Period
from airflow_provider_elementary.metrics.removed_by_policy import RemovedByPolicy, removed_by_policy
from airflow_provider_elementary.metrics.settings import is_changed, why_outdated
from airflow_provider_elementary.snapshots.lookup import read_signed
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest
from airflow_provider_elementary.snapshots.prune_record import read_records, tombstones
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.storage.keys import DataKey, Purpose
from airflow_provider_elementary.storage.layout import result_file_periods
from airflow_provider_elementary.storage.records.result_document import STATE, Result, ResultFile
from airflow_provider_elementary.storage.records.result_files import read_files
from airflow_provider_elementary.storage.records.results import earlier_results

log = logging.getLogger(__name__)

CATEGORIES = (Category.TABLE_METRICS, Category.AGGREGATED_METRICS, STATE)
#: A run that has more snapshots to catch up with reads everything.
_CATCHES_UP = 200
#: How many earlier results are searched for one that can be continued, and how many more for one of a later snapshot.
_LOOKS_BACK, _LOOKS_FURTHER = 100, 4


@dataclass(frozen=True)
class EarlierMetrics:
    """The metrics that a run continues with.

    :param is_replaced: every row is read again, and all that is stored is encrypted with new keys.
    :param removed: what of them does not stay, as the policy changed.
    """

    repository: Repository
    result: Result
    data_keys: Mapping[Category, DataKey]
    is_replaced: bool
    removed: RemovedByPolicy

    def files(self, category: Category) -> dict[ResultFile, tuple[Period, ...]]:
        """Return the files of a category with the periods that each holds."""
        dated = {file: result_file_periods(file.key) for file in self.result.files if file.category == category}
        return {file: tuple(Period(*days) for days in periods) for file, periods in dated.items() if periods}

    def read(self, files: Iterable[ResultFile]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of some of its files.

        :raises UnusableMetricsError: they do not open any more.
        """
        try:
            yield from map(self.removed.kept, read_files(self.repository, self.result, files, is_read_again=True))
        except ElementaryError as error:
            raise _unusable(error) from None


class UnusableMetricsError(Exception):
    """Why the metrics of an earlier run cannot be continued.

    :param loses: whether there are some, of which those of purged days are lost.
    """

    def __init__(self, reason: str, *, loses: bool = True) -> None:
        super().__init__(reason)
        self.loses = loses


def _unusable(error: ElementaryError) -> Exception:
    """Return what to raise where earlier metrics cannot be read: the error itself where a retry may help."""
    if isinstance(error, StoreError) and not isinstance(error, ObjectNotFoundError):
        return error
    return UnusableMetricsError(str(error))


def find_earlier(
    repository: Repository, source: Source, parameters: Mapping[str, Any], run_key: str
) -> tuple[EarlierMetrics, SnapshotSource]:
    """Return the metrics that can be continued, and the source with the files that are new since.

    :raises UnusableMetricsError: there are none.
    """
    if not isinstance(source, SnapshotSource):
        raise UnusableMetricsError("they are read from a warehouse", loses=False)
    try:
        result = _newest_that_fits(repository, parameters, run_key)
    except ElementaryError as error:
        raise _unusable(error) from None
    known = result.parameters
    files = _new_files(repository, source.manifest, known["snapshot"], known.get("sha256"))
    if is_changed(known, parameters):
        files = None
    try:
        keys = {
            category: DataKey(repository.keys.unwrap(category, wrapped, Purpose.RESULT), wrapped)
            for category in CATEGORIES
            if (wrapped := result.keys.get(category.value)) is not None
        }
    except ElementaryError as error:
        raise _unusable(error) from None
    if set(keys) != set(CATEGORIES):
        raise UnusableMetricsError("the earlier ones were stored without what rows said")
    removed = removed_by_policy(known["policy"], parameters["policy"])
    if (what := removed.describe()) is not None:
        log.warning(
            "the policy of the snapshots excludes or changes what metrics are computed from: on days whose rows the "
            "snapshot no longer has, these are lost: %s",
            what,
        )
    earlier = EarlierMetrics(repository, result, keys, files is None, removed)
    return earlier, source if files is None else source.only(files)


def _newest_that_fits(repository: Repository, parameters: Mapping[str, Any], run_key: str) -> Result:
    """Return the earlier result of the latest snapshot, up to that of this run, that was computed in the same way.

    Runs of a warehouse and of older snapshots store results of the series too.

    :raises UnusableMetricsError: there is none.
    """
    best, reason, further = None, "", 0
    for result in islice(earlier_results(repository, "metrics", "", run_key), _LOOKS_BACK):
        found = _why_unfit(result, parameters)
        if found is None and (best is None or result.parameters["snapshot"] > best.parameters["snapshot"]):
            best, further = result, 0
            continue
        # The first reason is that of the newest one which is of a snapshot.
        reason = reason or found or ""
        further += best is not None
        if further >= _LOOKS_FURTHER:
            break
    if best is None:
        raise UnusableMetricsError(reason or "no earlier run stored any of a snapshot", loses=bool(reason))
    return best


def _why_unfit(result: Result, parameters: Mapping[str, Any]) -> str | None:
    """Return why a result cannot be continued, empty for one of a warehouse, or None where it can be."""
    known = result.parameters
    number = known.get("snapshot")
    if not isinstance(number, int):
        return ""
    if known.get("epoch") != parameters["epoch"]:
        return "the source began a new history"
    if (reason := why_outdated(known)) is not None:
        return reason
    return "the earlier ones are of a later snapshot" if number > parameters["snapshot"] else None


def _new_files(repository: Repository, manifest: Manifest, number: int, sha256: Any) -> list[FileEntry] | None:
    """Return the files of a snapshot that are new since an earlier one; None where all have to be read.

    :param number: of the earlier snapshot.
    :param sha256: of its manifest.
    :raises UnusableMetricsError: the chain has another snapshot in its place.
    """
    writers: set[str] = set()
    compacted: set[str] = set()
    has_new_rows = False
    if _sha256_of(repository, number) not in (None, sha256):
        raise UnusableMetricsError("the earlier ones are of another history")
    if manifest.sequence - number > _CATCHES_UP:
        return None
    try:
        for between in range(number + 1, manifest.sequence + 1):
            document = read_signed(repository, between).document
            if document.kind == "full":
                return None
            # A compaction has the rows of those before it, which may be new.
            has_new_rows |= document.kind != "compaction"
            if has_new_rows:
                writers.add(document.snapshot_id)
                if document.kind == "compaction":
                    compacted.add(document.snapshot_id)
    except StoreError:
        raise
    except ElementaryError:
        # Pruned: what is read twice changes nothing.
        return None
    if any(file.table == COLLECTED_TABLE and file.snapshot_id in compacted for file in manifest.files):
        # It has earlier rows too, of which those without an id would be stored twice.
        return None
    return [file for file in manifest.files if file.snapshot_id in writers]


def _sha256_of(repository: Repository, number: int) -> str | None:
    """Return the hash of the manifest of a number, which may be pruned; None where nothing is known of it."""
    try:
        return read_signed(repository, number).sha256
    except StoreError:
        raise
    except ElementaryError:
        stone = tombstones(list(read_records(repository))).get(number)
        return stone.sha256 if stone is not None else None
