"""The page's reading layer: manifests, results and snapshots of one store, decoded once and kept while they may serve.

Everything that the page shows comes through here, and all of it out of the store. Results are read column by column
and, where a file is sorted by table, only the parts that hold the table.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.page.backtests import BACKTEST_COLUMNS, Tried, tried
from airflow_provider_elementary.page.cache import Cache
from airflow_provider_elementary.page.settings import OpenedStore
from airflow_provider_elementary.project.facts import Anomaly, Project, Verdicts
from airflow_provider_elementary.project.outcomes import Outcomes, read_outcomes
from airflow_provider_elementary.project.reading import read_project

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.incidents.tracking import Incident
    from airflow_provider_elementary.snapshots import Manifest, SnapshotSource
    from airflow_provider_elementary.storage.results import Result, ResultKind

log = logging.getLogger(__name__)

#: Clients and keys are asked for again after this long, so that rotated ones are taken up.
OPENED_SECONDS = 60.0
_READERS = 8
_STORES = 32
_NAMES = ("full_table_name", "column_name", "metric_name", "dimension", "metric_properties", "kind")
_VERDICT_COLUMNS = (
    *("full_table_name", "column_name", "metric_name", "dimension", "bucket_start", "bucket_end", "score"),
    *("is_anomalous", "kind", "reason"),
)
#: Incidents that were over long ago are in older results; one of a day is enough, and so many days back.
_INCIDENTS_APART = timedelta(hours=20)
_INCIDENT_DAYS = 30
_HISTORY_COLUMNS = (
    *("full_table_name", "column_name", "metric_name", "dimension", "metric_properties"),
    *("bucket_start", "bucket_end", "metric_value", "updated_at"),
)


class Readers:
    """The readers of all stores of the page, by connection and URI: a connection may name another store by now."""

    def __init__(self) -> None:
        self._connections = Cache(_STORES)
        self._readers = Cache(_STORES)

    def of(self, store_conn_id: str) -> Reader:
        """Return the reader of a connection's store."""

        def opened() -> OpenedStore:
            return self._connections.get(store_conn_id, lambda: OpenedStore(store_conn_id), seconds=OPENED_SECONDS)

        return self._readers.get((store_conn_id, opened().uri), lambda: Reader(opened))


class Reader:
    """Reads one store; shared by all requests for it.

    :param opened: returns the store and its keys, as its connection names them by now.
    """

    def __init__(self, opened: Callable[[], OpenedStore]) -> None:
        self._opened = opened
        self._manifests = Cache(256)
        self._results = Cache(20_000)
        self._projects = Cache(2)
        self._outcomes = Cache(2)
        self._verdicts = Cache(2)
        self._incidents = Cache(64)
        self._histories = Cache(32)
        self._backtests = Cache(8)
        #: What views derive from the above.
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
        from airflow_provider_elementary.snapshots.reader import committed_sequences

        return committed_sequences(self.opened.store)

    def manifest(self, sequence: int, *, newest: bool = False) -> Manifest:
        """Return the manifest of that number.

        :param newest: it is read again, as a store that was emptied may have begun anew.
        """
        from airflow_provider_elementary.snapshots.reader import read_manifest

        seconds = 0.0 if newest else OPENED_SECONDS * 10
        return self._manifests.get(sequence, lambda: read_manifest(self.opened.store, sequence), seconds=seconds)

    def pruned(self) -> dict[int, str]:
        """Return the hashes of the manifests that prune removed, by their place in the chain."""
        from airflow_provider_elementary.snapshots.prune_record import read_records, tombstones

        found = tombstones(list(read_records(self.opened.store)))
        return {sequence: removed.sha256 for sequence, removed in found.items()}

    def snapshot(self, manifest: Manifest) -> SnapshotSource:
        """Return a snapshot as a source.

        :raises ConfigurationError: the store's connection names no keys.
        """
        return self.opened.repository.open(manifest)

    def project(self, manifest: Manifest) -> Project:
        """Return what a snapshot tells of the dbt project.

        :raises ConfigurationError: the store's connection names no keys.
        """
        # What is missing now may be there in a minute: a key service that was busy, a key that was given.
        return self._projects.get(
            manifest.snapshot_id,
            lambda: read_project(self.snapshot(manifest)),
            seconds=lambda project: OPENED_SECONDS if project.missing else math.inf,
        )

    def outcomes(self, manifest: Manifest) -> Outcomes:
        """Return how the tests and nodes of a snapshot went lately.

        :raises ConfigurationError: the store's connection names no keys.
        """
        return self._outcomes.get(
            manifest.snapshot_id,
            lambda: read_outcomes(self.snapshot(manifest)),
            seconds=lambda outcomes: OPENED_SECONDS if outcomes.missing else math.inf,
        )

    def results(self, kind: ResultKind) -> list[Result]:
        """Return what describes the results of a kind, newest first; what describes none is left out."""
        from airflow_provider_elementary.storage.layout import result_kind

        prefix = result_kind(kind)
        files: dict[str, list[str]] = {}
        for found in self.opened.store.list(prefix):
            run = found.key.removeprefix(prefix).removesuffix(".json").partition("/")[0]
            files.setdefault(run, []).append(found.key)
        # A document changes only together with the names of its files.
        committed = [
            (f"{prefix}{run}.json", tuple(keys)) for run, keys in files.items() if f"{prefix}{run}.json" in keys
        ]
        with ThreadPoolExecutor(_READERS) as threads:
            read = threads.map(lambda named: self._results.get(named, lambda: self._result(named[0])), committed)
            return sorted(filter(None, read), key=lambda result: result.created_at, reverse=True)

    def newest_verdicts(self) -> Verdicts | None:
        """Return the newest verdicts, those of all shards of a task together; None where there are none.

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
        """Return the incidents that the newest results tell, open ones first, then the newest; None without any.

        :raises ElementaryError: the keys do not open them, or they were changed.
        """
        results = self.results("incidents")
        if not results:
            return None
        chosen: list[Result] = []
        for result in results:
            if not chosen or _moment(result.created_at) < _moment(chosen[-1].created_at) - _INCIDENTS_APART:
                chosen.append(result)
        known: dict[str, Incident] = {}
        for place, result in enumerate(chosen[:_INCIDENT_DAYS]):
            for incident in self._incidents.get(_names([result]), lambda result=result: self._read_incidents(result)):  # type: ignore[misc]
                # What an older result calls open and the newest does not know was merged into another.
                if place == 0 or incident.status != "open":
                    known.setdefault(incident.incident_id, incident)
        return list(known.values())

    def history(self, result: Result, table: str) -> pa.Table:
        """Return the metrics of one table, those of single dimension values left out.

        :raises ElementaryError: the keys do not open it, or it was changed.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        def read() -> pa.Table:
            found = []
            for rows in self._rows(result, _HISTORY_COLUMNS, table):
                mine = pc.and_(pc.equal(rows["full_table_name"], table), pc.is_null(rows["dimension"]))
                found.append(_plain(rows.filter(mine)))
            return pa.concat_tables(found) if found else pa.table({})

        return self._histories.get((_names([result]), table), read)

    def backtest(self, result: Result) -> Tried:
        """Return what a backtest found.

        :raises ElementaryError: the keys do not open it, or it was changed.
        """
        return self._backtests.get(
            _names([result]), lambda: tried(_plain(rows) for rows in self._rows(result, BACKTEST_COLUMNS))
        )

    def _result(self, key: str) -> Result | None:
        from airflow_provider_elementary.storage.results import find_result

        try:
            return find_result(self.opened.store, key)
        except SnapshotCorruptError as error:
            log.warning("the Elementary page leaves a result out: %s", error)
            return None

    def _read_verdicts(self, results: Sequence[Result]) -> Verdicts:
        import pyarrow.compute as pc

        from airflow_provider_elementary.anomalies.schema import is_of_incident

        judged = 0
        tables: set[str] = set()
        parts: list[pa.Table] = []
        for rows in chain.from_iterable(self._rows(result, _VERDICT_COLUMNS) for result in results):
            judged += len(rows) - rows["score"].null_count
            tables.update(filter(None, pc.unique(rows["full_table_name"]).to_pylist()))
            parts.append(rows)
        rows = _anomalous_series(parts)
        anomalies: dict[str, list[Anomaly]] = {}
        for row in rows.filter(is_of_incident(rows)).to_pylist() if len(rows) else ():
            anomalies.setdefault(row["full_table_name"], []).append(_anomaly(row))
        return Verdicts(
            created_at=_moment(results[0].created_at),
            parameters=_rule(results[0]),
            judged=judged,
            tables=frozenset(tables),
            anomalies={
                table: tuple(sorted(found, key=lambda anomaly: -abs(anomaly.score or 0)))
                for table, found in anomalies.items()
            },
            rows=rows,
        )

    def _read_incidents(self, result: Result) -> list[Incident]:
        from airflow_provider_elementary.incidents.store import incidents_of
        from airflow_provider_elementary.storage.results import read_result

        with read_result(self.opened.store, self.opened.keys, result.key) as rows:
            return incidents_of(rows.read_all())

    def _rows(self, result: Result, columns: Sequence[str], table: str | None = None) -> Iterator[pa.Table]:
        """Yield the row groups of a result; given a table, only those that may hold it."""
        opened = self.opened
        for file in result.files:
            if file.rows:
                data_key = opened.keys.unwrap(file.category, result.keys[file.category.value])
                yield from _row_groups(opened, file.key, data_key, columns, table)


def _row_groups(
    opened: OpenedStore, name: str, key: bytes, columns: Sequence[str], table: str | None
) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import pyarrow.parquet.encryption as pe

    try:
        with (
            opened.store.open(name) as source,
            pq.ParquetFile(
                pa.PythonFile(source, mode="r"),
                decryption_properties=pe.create_decryption_properties(key),
                read_dictionary=[column for column in columns if column in _NAMES],
                pre_buffer=False,
            ) as file,
        ):
            names = file.schema_arrow.names
            held = [column for column in columns if column in names]
            for group in range(file.num_row_groups):
                if table is None or _may_hold(file.metadata.row_group(group), names.index("full_table_name"), table):
                    yield file.read_row_group(group, columns=held)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise SnapshotCorruptError(
            f"Expected {name} to open with its data key, found that it does not ({type(error).__name__}). "
            "The file was changed or cut short; compute the result again."
        ) from None


def _may_hold(group: Any, column: int, table: str) -> bool:
    statistics = group.column(column).statistics
    return statistics is None or not statistics.has_min_max or statistics.min <= table <= statistics.max


def _plain(rows: pa.Table) -> pa.Table:
    """Return rows with strings instead of dictionaries, which differ from one row group to the next."""
    import pyarrow as pa

    fields = [
        pa.field(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type) for field in rows.schema
    ]
    return rows.cast(pa.schema(fields))


def _anomalous_series(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of the tables, columns and metrics that are anomalous somewhere: what incidents are made of."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = [_plain(part.filter(part["is_anomalous"])) for part in parts]
    anomalies = pa.concat_tables(found) if found else pa.table({})
    if not len(anomalies):
        return anomalies
    wanted = {name: pc.unique(anomalies[name]) for name in ("full_table_name", "metric_name", "column_name")}

    def kept(part: pa.Table) -> pa.Table:
        masks = [pc.is_in(part[name].cast(pa.string()), values) for name, values in wanted.items()]
        return _plain(part.filter(reduce(pc.and_, masks)))

    return pa.concat_tables([kept(part) for part in parts])


def _anomaly(row: Mapping[str, Any]) -> Anomaly:
    from airflow_provider_elementary.anomalies.explain import public_sentence

    return Anomaly(
        table=row["full_table_name"],
        column=row["column_name"],
        metric=row["metric_name"],
        start=row["bucket_start"] or row["bucket_end"],
        end=row["bucket_end"],
        score=row["score"],
        sentence=public_sentence(row),
    )


def _rule(result: Result) -> dict[str, Any]:
    """Return how a result was judged, which all its shards share."""
    return {name: value for name, value in result.parameters.items() if name != "shard"}


def _names(results: Sequence[Result]) -> tuple[str, ...]:
    """Return the names of the sealed files, which are never written twice."""
    return tuple(file.key for result in results for file in result.files)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
