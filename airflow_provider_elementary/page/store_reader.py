"""Reads and caches manifests, results and snapshots of one store.

Everything that the page shows is read from the store here. Results are read column by column.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from heapq import merge
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.incidents.store_summary import (
    StoreSummary,
    created_at,
    read_summary,
    read_summary_columns,
    read_summary_configurations,
    read_summary_outcomes,
    rule_of,
)
from airflow_provider_elementary.incidents.verdict_facts import VERDICT_COLUMNS, Verdicts, plain_rows, verdicts_of
from airflow_provider_elementary.page.cache import Cache
from airflow_provider_elementary.page.listings import Listings, ViewedStore
from airflow_provider_elementary.page.result_documents import ResultDocuments
from airflow_provider_elementary.page.result_rows import row_groups, rows_of_table
from airflow_provider_elementary.page.settings import OpenedStore
from airflow_provider_elementary.project.outcomes import Outcomes, read_outcomes
from airflow_provider_elementary.project.project import Project, read_project

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.incidents.tracking import Incident
    from airflow_provider_elementary.page.currency import FindAttempts
    from airflow_provider_elementary.project.columns import Columns
    from airflow_provider_elementary.project.timeline import Executions, Timeline
    from airflow_provider_elementary.snapshots import Manifest, SnapshotSource
    from airflow_provider_elementary.storage.records.answers import Answer
    from airflow_provider_elementary.storage.records.encrypted_parts import EncryptedParts
    from airflow_provider_elementary.storage.records.report_log import StoredReport
    from airflow_provider_elementary.storage.records.result_document import Result

log = logging.getLogger(__name__)


class _Found(Protocol):
    """What was read of a snapshot; ``missing`` says what could not be."""

    @property
    def missing(self) -> Sequence[str]: ...


M = TypeVar("M", bound=_Found)
T = TypeVar("T")

#: Clients and keys are opened again after this long, so that rotated ones are used.
OPENED_SECONDS = 60.0
_STORES = 32
#: What views derive holds on to the project that it was derived from.
_DERIVED = 16


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
        #: The documents of its results.
        self.documents = ResultDocuments(opened)
        self._projects = Cache(2)
        self._outcomes = Cache(2)
        self._executions = Cache(2)
        self._summaries = Cache(2)
        self._columns = Cache(2)
        self._configurations = Cache(2)
        self._verdicts = Cache(2)
        self._incidents = Cache(2)
        self._answers = Cache(2)
        self._histories = Cache(32)
        self._listings = Listings()
        #: Values that views derive from the others.
        self.derived = Cache(_DERIVED)

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

    @contextmanager
    def one_answer(self, view: str) -> Iterator[None]:
        """Ask the store once for each listing within the block; see :class:`Listings`.

        :param view: the name of what is answered.
        """
        store: object = None
        with suppress(ElementaryError):  # The view says why the store does not open.
            store = self.opened.repository.store
        with self._listings.of_one_answer(view, store) if isinstance(store, ViewedStore) else nullcontext():
            yield

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
        if (summary := self.summary(manifest)) is not None:
            return summary.project
        return self._of_snapshot(self._projects, manifest, read_project)

    def outcomes(self, manifest: Manifest) -> Outcomes:
        """Return the recent outcomes of the tests and nodes of a snapshot.

        :raises ConfigurationError: the store's connection names no keys.
        """
        return self._of_summary(self._outcomes, manifest, read_summary_outcomes) or self._of_snapshot(
            self._outcomes, manifest, read_outcomes
        )

    def timeline(self, manifest: Manifest) -> Timeline:
        """Return the recent dbt commands of a snapshot.

        :raises ConfigurationError: the store's connection names no keys.
        """
        if (summary := self.summary(manifest)) is not None:
            return summary.timeline
        return self.executions(manifest).timeline

    def executions(self, manifest: Manifest) -> Executions:
        """Return the recent dbt commands of a snapshot with every execution.

        :raises ConfigurationError: the store's connection names no keys.
        """
        from airflow_provider_elementary.project.timeline import read_executions

        return self._of_snapshot(self._executions, manifest, read_executions)

    def summary(self, manifest: Manifest) -> StoreSummary | None:
        """Return what a task stored of a snapshot for the page; None where the newest is of another one."""
        found = self._newest_summary()
        return found[0] if found is not None and found[0].snapshot_id == manifest.snapshot_id else None

    def _of_summary(
        self, cache: Cache, manifest: Manifest, read: Callable[[EncryptedParts, StoreSummary], T | None]
    ) -> T | None:
        """Return what the summary of a snapshot holds of it; None where there is none, or it was too large for it."""
        found = self._newest_summary()
        if found is None or found[0].snapshot_id != manifest.snapshot_id:
            return None
        return cache.get(found[1].key, lambda: read(found[1], found[0]))

    def columns(self, manifest: Manifest) -> Columns:
        """Return what a snapshot says of the columns of its tables.

        :raises ConfigurationError: the store's connection names no keys.
        """
        from airflow_provider_elementary.project.columns import read_columns

        return self._of_summary(
            self._columns, manifest, lambda parts, _: read_summary_columns(parts)
        ) or self._of_snapshot(self._columns, manifest, read_columns)

    def configurations(self, manifest: Manifest) -> pa.Table:
        """Return the configurations of a snapshot's anomaly tests.

        :raises ConfigurationError: the store's connection names no keys.
        """
        from airflow_provider_elementary.anomalies.elementary.configured_tests import read_test_configurations

        stored = self._of_summary(self._configurations, manifest, lambda parts, _: read_summary_configurations(parts))
        if stored is not None:
            return stored
        return self._configurations.get(
            manifest.snapshot_id, lambda: read_test_configurations(self.snapshot(manifest)), seconds=math.inf
        )

    def newest_verdicts(self) -> Verdicts | None:
        """Return the newest verdicts, those of all shards of a task merged; None where there are none.

        :raises ElementaryError: the keys do not open them, or they were changed.
        """
        together = self._newest_shards()
        found = self._newest_summary()
        if found is not None and found[0].verdict_keys == {result.key for result in together}:
            return found[0].verdicts
        return self._verdicts_and_rows(together)[0] if together else None

    def anomalous_rows(self) -> pa.Table | None:
        """Return the newest verdicts on the series that are anomalous somewhere, which incidents are derived from.

        :raises ElementaryError: the keys do not open them, or they were changed.
        """
        together = self._newest_shards()
        return self._verdicts_and_rows(together)[1] if together else None

    def incidents(self) -> list[Incident] | None:
        """Return the incidents that a task saved last, open ones first; None where there are none.

        :raises ElementaryError: the keys do not open them, or they were changed.
        """
        if (newest := self.documents.newest("incidents")) is None:
            return None
        found = self._newest_summary()
        if found is not None and found[0].incidents_key == newest.key:
            return list(found[0].incidents)
        return self._incidents.get(_names([newest]), lambda: self._read_incidents(newest))

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
        newest = self.documents.newest("incidents")
        return newest.origin.get("snapshot_id") if newest else None

    def history(self, result: Result, table: str) -> pa.Table:
        """Return the metrics of one table without those of single dimension values.

        :raises ElementaryError: the keys do not open it, or it was changed.
        """
        return self._histories.get((_names([result]), table), lambda: rows_of_table(self.opened, result, table))

    def rows(self, result: Result, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield the rows of a result, a part at a time.

        :raises ElementaryError: the keys do not open it, or it was changed.
        """
        return map(plain_rows, row_groups(self.opened, [result], columns))

    def _newest_summary(self) -> tuple[StoreSummary, EncryptedParts] | None:
        names = self.documents.names("summaries")

        def read() -> tuple[StoreSummary, EncryptedParts] | None:
            from airflow_provider_elementary.storage.records.encrypted_parts import open_parts

            try:
                newest = next(filter(None, map(self.documents.read, names)), None)
                parts = open_parts(self.opened.repository, newest) if newest else None
                return (read_summary(parts), parts) if parts else None
            except ElementaryError as error:
                log.info("the Elementary page reads what its summary holds from the store's files: %s", error)
                return None

        return self._summaries.get(
            tuple(names), read, seconds=lambda found: math.inf if found or not names else OPENED_SECONDS
        )

    def _newest_shards(self) -> list[Result]:
        """Return the newest verdicts of every shard of the task that wrote the newest ones."""
        shards: dict[Any, Result] = {}
        for result in merge(*self.documents.newest_first("verdicts"), key=created_at, reverse=True):
            newest = next(iter(shards.values()), result)
            if rule_of(result) == rule_of(newest):
                shards.setdefault(result.parameters.get("shard", 0), result)
            if len(shards) == int(newest.parameters.get("shards", 1)):
                break
        return [shards[shard] for shard in sorted(shards)]

    def _verdicts_and_rows(self, results: Sequence[Result]) -> tuple[Verdicts, pa.Table]:
        def read() -> tuple[Verdicts, pa.Table]:
            rows = row_groups(self.opened, results, VERDICT_COLUMNS)
            return verdicts_of(rows, max(map(created_at, results)), rule_of(results[0]))

        return self._verdicts.get(_names(results), read)

    def _read_incidents(self, result: Result) -> list[Incident]:
        from airflow_provider_elementary.incidents.store import incidents_of
        from airflow_provider_elementary.storage.records.results import read_result

        with read_result(self.opened.repository, result.key) as rows:
            return incidents_of(rows.read_all())


def _names(results: Sequence[Result]) -> tuple[str, ...]:
    """Return the names of the encrypted files; no name is written twice."""
    return tuple(file.key for result in results for file in result.files)
