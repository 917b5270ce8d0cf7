"""Reads and caches manifests, results and snapshots of one store.

Everything that the page shows is read from the store here. Results are read column by column and, where a file is
sorted by table, only the row groups of the table.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    SnapshotCorruptError,
    StoreRefusedError,
)
from airflow_provider_elementary.page.cache import Cache
from airflow_provider_elementary.page.settings import OpenedStore
from airflow_provider_elementary.page.verdicts import VERDICT_COLUMNS, Verdicts, plain_rows, verdicts_of
from airflow_provider_elementary.project.outcomes import Outcomes, read_outcomes
from airflow_provider_elementary.project.project import Project, read_project

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.incidents.tracking import Incident
    from airflow_provider_elementary.page.currency import FindAttempts
    from airflow_provider_elementary.project.columns import Columns
    from airflow_provider_elementary.project.timeline import Timeline
    from airflow_provider_elementary.snapshots import Manifest, SnapshotSource
    from airflow_provider_elementary.storage.object_store.store import StoredObject
    from airflow_provider_elementary.storage.records.answers import Answer
    from airflow_provider_elementary.storage.records.report_log import StoredReport
    from airflow_provider_elementary.storage.records.result_document import Result, ResultFile, ResultKind

log = logging.getLogger(__name__)


class _Found(Protocol):
    """What was read of a snapshot; ``missing`` says what could not be."""

    @property
    def missing(self) -> Sequence[str]: ...


M = TypeVar("M", bound=_Found)

#: Clients and keys are opened again after this long, so that rotated ones are used.
OPENED_SECONDS = 60.0
_STORES = 32
#: Documents of metrics: each names more than a hundred files.
_METRICS = 1_000
#: All of these are in memory at once, but for large ones.
_FILES_AT_ONCE = 4
#: A larger file is read one row group at a time, after those before it.
_ROWS_AT_ONCE = 100_000
_NAMES = ("full_table_name", "column_name", "metric_name", "dimension", "metric_properties", "kind")
_HISTORY_COLUMNS = (
    *("full_table_name", "column_name", "metric_name", "dimension", "metric_properties"),
    *("bucket_start", "bucket_end", "metric_value", "updated_at"),
)


class Readers:
    """The readers of all stores, by connection and URI: a connection may be edited to name another store.

    :param find_attempts: returns what Airflow knows of the task that took a snapshot.
    """

    def __init__(self, find_attempts: FindAttempts | None = None) -> None:
        self._find_attempts = find_attempts
        self._connections = Cache(_STORES)
        self._readers = Cache(_STORES)

    def of(self, store_conn_id: str) -> StoreReader:
        """Return the reader of a connection's store."""

        def opened() -> OpenedStore:
            return self._connections.get(store_conn_id, lambda: OpenedStore(store_conn_id), seconds=OPENED_SECONDS)

        return self._readers.get((store_conn_id, opened().uri), lambda: StoreReader(opened, self._find_attempts))


class StoreReader:
    """Reads one store; shared by all requests for it.

    :param opened: returns the store and its keys, as its connection names them now.
    :param find_attempts: returns what Airflow knows of a task; None outside Airflow.
    """

    def __init__(self, opened: Callable[[], OpenedStore], find_attempts: FindAttempts | None = None) -> None:
        self._opened = opened
        self.find_attempts = find_attempts
        self._manifests = Cache(256)
        self._results = Cache(20_000)
        self._metrics = Cache(_METRICS)
        self._projects = Cache(2)
        self._outcomes = Cache(2)
        self._timelines = Cache(2)
        self._columns = Cache(2)
        self._configurations = Cache(2)
        self._verdicts = Cache(2)
        self._incidents = Cache(64)
        self._answers = Cache(2)
        self._histories = Cache(32)
        #: Values that views derive from the others.
        self.derived = Cache(64)

    @property
    def opened(self) -> OpenedStore:
        """The store and its keys."""
        return self._opened()

    @property
    def uri(self) -> str:
        """The store's URI, or the connection's id where that cannot be read."""
        return self.opened.uri

    @property
    def has_keys(self) -> bool:
        """Whether the store's connection names keys."""
        return self.opened.has_keys

    def sequences(self) -> list[int]:
        """Return the numbers of the snapshots in the store, oldest first."""
        from airflow_provider_elementary.snapshots.lookup import committed_sequences

        return committed_sequences(self.opened.repository)

    def manifest(self, sequence: int, *, newest: bool = False) -> Manifest:
        """Return the manifest of that number.

        :param newest: it is read again: an emptied store may have started from scratch.
        """
        from airflow_provider_elementary.snapshots.lookup import read_manifest

        seconds = 0.0 if newest else OPENED_SECONDS * 10
        return self._manifests.get(sequence, lambda: read_manifest(self.opened.repository, sequence), seconds=seconds)

    def access_reports(self, count: int) -> list[StoredReport]:
        """Return the newest reports of access checks and audits, newest first."""
        from airflow_provider_elementary.storage.records.report_log import newest_reports

        return newest_reports(self.opened.repository, count)

    def pruned(self) -> dict[int, str]:
        """Return the hashes of the manifests that prune removed, by their place in the chain."""
        from airflow_provider_elementary.snapshots.prune_record import read_records, tombstones

        found = tombstones(list(read_records(self.opened.repository)))
        return {sequence: removed.sha256 for sequence, removed in found.items()}

    def snapshot(self, manifest: Manifest) -> SnapshotSource:
        """Return a snapshot as a source.

        :raises ConfigurationError: the store's connection names no keys.
        """
        return self.opened.repository.source(manifest)

    def _of_snapshot(self, cache: Cache, manifest: Manifest, read: Callable[[SnapshotSource], M]) -> M:
        # What cannot be read now may be readable in a minute: a busy key service, a key that was added.
        return cache.get(
            manifest.snapshot_id,
            lambda: read(self.snapshot(manifest)),
            seconds=lambda found: OPENED_SECONDS if found.missing else math.inf,
        )

    def project(self, manifest: Manifest) -> Project:
        """Return the dbt project of a snapshot.

        :raises ConfigurationError: the store's connection names no keys.
        """
        return self._of_snapshot(self._projects, manifest, read_project)

    def outcomes(self, manifest: Manifest) -> Outcomes:
        """Return the recent outcomes of the tests and nodes of a snapshot.

        :raises ConfigurationError: the store's connection names no keys.
        """
        return self._of_snapshot(self._outcomes, manifest, read_outcomes)

    def timeline(self, manifest: Manifest) -> Timeline:
        """Return the recent dbt commands of a snapshot.

        :raises ConfigurationError: the store's connection names no keys.
        """
        from airflow_provider_elementary.project.timeline import read_timeline

        return self._of_snapshot(self._timelines, manifest, read_timeline)

    def columns(self, manifest: Manifest) -> Columns:
        """Return what a snapshot says of the columns of its tables.

        :raises ConfigurationError: the store's connection names no keys.
        """
        from airflow_provider_elementary.project.columns import read_columns

        return self._of_snapshot(self._columns, manifest, read_columns)

    def configurations(self, manifest: Manifest) -> pa.Table:
        """Return the configurations of a snapshot's anomaly tests.

        :raises ConfigurationError: the store's connection names no keys.
        """
        from airflow_provider_elementary.anomalies.elementary.configured_tests import read_test_configurations

        return self._configurations.get(
            manifest.snapshot_id, lambda: read_test_configurations(self.snapshot(manifest)), seconds=math.inf
        )

    def results(self, kind: ResultKind) -> list[Result]:
        """Return the results of a kind, newest first; damaged documents are left out."""
        from airflow_provider_elementary.storage.layout import is_result, result_kind
        from airflow_provider_elementary.storage.parallel import READERS

        names = [found for found in self.opened.store.list(result_kind(kind)) if is_result(found.key)]

        cache = self._metrics if kind == "metrics" else self._results

        def read(name: StoredObject) -> Result | None:
            # No document is ever replaced; one that cannot be read now may be restored. After somebody removed one, a
            # run that does not know of it gives its number again.
            return cache.get(
                name, lambda: self._result(name.key), seconds=lambda found: math.inf if found else OPENED_SECONDS
            )

        newest: dict[tuple[str, str], Result] = {}
        with ThreadPoolExecutor(READERS) as threads:
            for result in filter(None, threads.map(read, names)):
                # Of several attempts of a run, the newest is listed first.
                newest.setdefault((result.series, result.run_key), result)
        return sorted(newest.values(), key=lambda result: result.created_at, reverse=True)

    def newest_verdicts(self) -> Verdicts | None:
        """Return the newest verdicts, those of all shards of a task merged; None where there are none.

        :raises ElementaryError: the keys do not open them, or they were changed.
        """
        results = self.results("verdicts")
        if not results:
            return None
        rule = _rule(results[0])
        shards: dict[Any, Result] = {}
        for result in results:
            if _rule(result) == rule:
                shards.setdefault(result.parameters.get("shard", 0), result)
            if len(shards) == int(results[0].parameters.get("shards", 1)):
                break
        together = [shards[shard] for shard in sorted(shards)]
        return self._verdicts.get(_names(together), lambda: self._read_verdicts(together))

    def incidents(self) -> list[Incident] | None:
        """Return the incidents that a task saved last, open ones first; None where there are none.

        :raises ElementaryError: the keys do not open them, or they were changed.
        """
        results = self.results("incidents")
        return self._incidents.get(_names(results[:1]), lambda: self._read_incidents(results[0])) if results else None

    def answers(self) -> tuple[Answer, ...]:
        """Return what people answered to incidents, the oldest first.

        :raises SnapshotCorruptError: the newest document is signed, and not valid.
        """
        from airflow_provider_elementary.storage.records.answer_log import answer_names, read_answers

        repository = self.opened.repository
        found: tuple[Answer, ...] = self._answers.get(answer_names(repository), lambda: read_answers(repository))
        return found

    def snapshot_of_incidents(self) -> str | None:
        """Return the id of the snapshot that the saved incidents are of."""
        results = self.results("incidents")
        return results[0].origin.get("snapshot_id") if results else None

    def history(self, result: Result, table: str) -> pa.Table:
        """Return the metrics of one table without those of single dimension values.

        :raises ElementaryError: the keys do not open it, or it was changed.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        from airflow_provider_elementary.storage.parallel import in_parallel

        def read_file(opened: OpenedStore, found: tuple[ResultFile, bytes]) -> list[pa.Table]:
            parts = []
            for rows in _row_groups_of(opened, *found, _HISTORY_COLUMNS, table):
                mine = pc.and_(pc.equal(rows["full_table_name"], table), pc.is_null(rows["dimension"]))
                parts.append(plain_rows(rows.filter(mine)))
            return parts

        def read() -> pa.Table:
            # A file for each period, of which a request to the store takes most of the time.
            opened = self.opened
            parts = in_parallel(partial(read_file, opened), _opened_files(opened, result))
            found = list(chain.from_iterable(parts))
            return pa.concat_tables(found) if found else pa.table({})

        return self._histories.get((_names([result]), table), read)

    def rows(self, result: Result, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield the rows of a result, a part at a time.

        :raises ElementaryError: the keys do not open it, or it was changed.
        """
        return map(plain_rows, self._row_groups([result], columns))

    def _result(self, key: str) -> Result | None:
        from airflow_provider_elementary.storage.records.results import find_result

        try:
            return find_result(self.opened.repository, key)
        except (SnapshotCorruptError, StoreRefusedError, KeyUnavailableError) as error:
            log.warning("skipping a damaged result on the Elementary page: %s", error)
            return None

    def _read_verdicts(self, results: Sequence[Result]) -> Verdicts:
        return verdicts_of(
            self._row_groups(results, VERDICT_COLUMNS), _moment(results[0].created_at), _rule(results[0])
        )

    def _read_incidents(self, result: Result) -> list[Incident]:
        from airflow_provider_elementary.incidents.store import incidents_of
        from airflow_provider_elementary.storage.records.results import read_result

        with read_result(self.opened.repository, result.key) as rows:
            return incidents_of(rows.read_all())

    def _row_groups(self, results: Sequence[Result], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield the row groups of results in their order, some files at once: each waits for requests to the store."""
        from airflow_provider_elementary.storage.parallel import in_parallel

        opened = self.opened

        def read_file(found: tuple[ResultFile, bytes]) -> Iterable[pa.Table]:
            groups = _row_groups_of(opened, *found, columns)
            return list(groups) if found[0].rows <= _ROWS_AT_ONCE else groups

        files = chain.from_iterable(_opened_files(opened, result) for result in results)
        yield from chain.from_iterable(in_parallel(read_file, files, _FILES_AT_ONCE))


def _opened_files(opened: OpenedStore, result: Result) -> Iterator[tuple[ResultFile, bytes]]:
    """Yield the files of a result that have rows, with their data keys."""
    from airflow_provider_elementary.storage.records.result_files import with_data_keys

    return with_data_keys(opened.repository, result, [file for file in result.row_files if file.rows])


def _row_groups_of(
    opened: OpenedStore, file: ResultFile, key: bytes, columns: Sequence[str], table: str | None = None
) -> Iterator[pa.Table]:
    """Yield the row groups of a file; for a table only those that may hold it."""
    from airflow_provider_elementary.storage.encrypted_parquet import opened_encrypted

    fetch = partial(opened.store.get_range, file.key)
    dictionaries = [column for column in columns if column in _NAMES]
    with opened_encrypted(fetch, key, file.key, file, dictionaries=dictionaries) as reader:
        names = reader.schema.names
        held = [column for column in columns if column in names]
        for group in range(reader.metadata.num_row_groups):
            if table is None or _may_hold(reader.metadata.row_group(group), names.index("full_table_name"), table):
                yield reader.read_row_group(group, held)


def _may_hold(group: Any, column: int, table: str) -> bool:
    statistics = group.column(column).statistics
    return statistics is None or not statistics.has_min_max or statistics.min <= table <= statistics.max


def _rule(result: Result) -> dict[str, Any]:
    """Return the parameters of the detector, which all shards share."""
    return {name: value for name, value in result.parameters.items() if name != "shard"}


def _names(results: Sequence[Result]) -> tuple[str, ...]:
    """Return the names of the encrypted files; no name is written twice."""
    return tuple(file.key for result in results for file in result.files)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
