"""The tasks of a store, as Airflow's operators do them, and the comparison of a snapshot with its source."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import adbc_driver_postgresql.dbapi as adbc
import duckdb

from airflow_provider_elementary.access.check.session import TransportFacts
from airflow_provider_elementary.anomalies.elementary.configured_tests import TESTS
from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.incidents.evaluate import (
    Evaluation,
    EvaluationOptions,
    dbt_conditions_of,
    evaluate_and_store,
    lineage_of,
    open_metrics,
)
from airflow_provider_elementary.incidents.store import TrackedIncidents, update_incidents
from airflow_provider_elementary.metrics.by_day import update_metrics
from airflow_provider_elementary.page.json_values import json_of
from airflow_provider_elementary.page.listings import ViewedStore
from airflow_provider_elementary.page.store_reader import StoreReader
from airflow_provider_elementary.page.views.base import Request
from airflow_provider_elementary.page.views.registry import VIEWS
from airflow_provider_elementary.snapshots import Policy, Repository, find_manifest, write_snapshot
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.maintenance.maintain import maintain
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.restore import restore
from airflow_provider_elementary.snapshots.restore_drill import drill
from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import Source, read_all
from airflow_provider_elementary.storage.keys import DataKey, Keys, WrappedKey
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from airflow_provider_elementary.storage.outcomes import Outcome
from airflow_provider_elementary.storage.records.results import anchor_result, recorded_result
from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.signing import SIGNER, STORE_ID

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

POLICY = Policy(categories=tuple(Category), failed_rows_days=100_000)
RETENTION = Retention(keep_last=48, keep_daily=14, keep_weekly=6, category_days={Category.FAILED_ROWS_SAMPLE.value: 21})
#: Of this table, rows leave a snapshot that is kept; of the others, the columns of the sample.
EXPIRING = "test_result_rows"
_VIEWS = ("", "tables", "tests", "runs", "freshness", "coverage", "incidents", "snapshots", "access")

Rows = Mapping[str, Counter[tuple[Any, ...]]]


class CountingKeys:
    """Keys that count what would be calls of KMS."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.calls = 0

    def new_data_key(self, category: Category, context: Mapping[str, str]) -> DataKey:
        self.calls += 1
        return self._keys.new_data_key(category, context)

    def unwrap(self, category: Category, wrapped: WrappedKey, context: Mapping[str, str]) -> bytes:
        self.calls += 1
        return self._keys.unwrap(category, wrapped, context)

    def wrap(self, category: Category, plaintext: bytes, context: Mapping[str, str]) -> DataKey:
        self.calls += 1
        return self._keys.wrap(category, plaintext, context)

    def master_key_id(self, category: Category, context: Mapping[str, str]) -> str:
        self.calls += 1
        return self._keys.master_key_id(category, context)


@dataclass
class Places:
    """Where the project is and where its snapshots go; each task opens both for itself."""

    server: PostgresServer
    database: str
    client: Any
    keys: Keys
    folder: Path
    bucket: str = "soak"
    counted: CountingKeys = field(init=False)

    def repository(self) -> Repository:
        """Open the store."""
        self.counted = CountingKeys(self.keys)
        return Repository(
            S3Store(self.client, self.bucket, "elementary"), self.counted, store_id=STORE_ID, signing=SIGNER
        )

    def source(self) -> WarehouseSource:
        """Open the warehouse."""
        connection = adbc.connect(self.server.uri(database=self.database))
        transport = TransportFacts(encrypted=True, version="TLSv1.3", certificate_verified=True, detail="soak")
        return WarehouseSource(PostgresWarehouse(connection, "elementary", self.database, transport))

    def sync(self, run_key: str, anchor: Sequence[Any] | None, full_every_days: float) -> dict[str, Any]:
        """Take a snapshot."""
        repository = self.repository()
        with self.source() as source:
            taken = write_snapshot(
                source,
                repository,
                policy=POLICY,
                run_key=run_key,
                anchor=Anchor(*anchor) if anchor else None,
                full_every_days=full_every_days,
                audit_days=1,
            )
        new = [file for file in taken.files if file.snapshot_id == taken.snapshot_id]
        return {
            "snapshot": taken.snapshot_id,
            "anchor": [taken.sequence, taken.sha256],
            "kind": taken.kind,
            "reason": taken.reason,
            "files": len(taken.files),
            "new_files": len(new),
            "new_bytes": sum(file.size for file in new),
            "kms": self.counted.calls,
        }

    def analyze(self, run_key: str, before: Mapping[str, Any]) -> dict[str, Any]:
        """Compute metrics, score them, and update incidents."""
        repository = self.repository()
        source = repository.source()
        origin: dict[str, Any] = {"store": repository.uri, "snapshot_id": source.manifest.snapshot_id}
        known, lost = recorded_result(repository, "metrics", "", before.get("metrics_anchor"))
        metrics = update_metrics(repository, source, run_key=run_key, origin=origin, known=known, tests=TESTS)
        losses, anchors = [lost], {"metrics_anchor": anchor_result(repository, metrics)}
        options = EvaluationOptions(method="elementary", days=2)
        rows, lineage, of_metrics, configurations = open_metrics(repository, metrics.key, options)
        evaluation = evaluate_and_store(
            repository,
            rows,
            lineage,
            options,
            series="soak/anomalies",
            run_key=run_key,
            origin=of_metrics,
            configurations=configurations,
            before=before,
        )
        tracked = update_incidents(
            repository,
            evaluation.verdicts,
            lineage_of(repository, of_metrics),
            dbt_conditions_of(repository, of_metrics, series="soak/anomalies", run_key=run_key),
            series="soak/anomalies",
            run_key=run_key,
            origin=of_metrics,
            anchor=before.get("incidents_anchor"),
            answers_anchor=before.get("answers_anchor"),
        )
        self.summarise(repository, evaluation, tracked, run_key, of_metrics)
        losses += [evaluation.lost, tracked.lost]
        anchors |= {**evaluation.anchors, "incidents_anchor": tracked.anchor, "answers_anchor": tracked.answers_anchor}
        return {
            "anchors": anchors,
            "losses": [each for each in losses if each],
            "metrics": metrics.rows,
            "open_incidents": tracked.open,
            "kms": self.counted.calls,
        }

    def summarise(
        self, repository: Repository, evaluation: Evaluation, tracked: TrackedIncidents, run_key: str, origin: Any
    ) -> None:
        """Store what the page shows first; not here, where the clock's times are of a type that cannot be stored."""

    def maintain(self, anchor: Sequence[Any]) -> dict[str, Any]:
        """Compact and prune."""
        report = maintain(self.repository(), RETENTION, anchors=[Anchor(*anchor)])
        pruned = report.prune
        return {
            "merged": len(report.compaction.snapshots),
            "removed": len(pruned.removed) if pruned else 0,
            "kept": [decision.snapshot_id for decision in pruned.kept] if pruned else [],
            "orphans": pruned.files if pruned else 0,
            "anchor": _head(self.repository()),
        }

    def verify(self, anchor: Sequence[Any]) -> dict[str, Any]:
        """Verify every snapshot, and return what is wrong."""
        report = verify(self.repository(), snapshot="all", anchors=[Anchor(*anchor)])
        findings = [f"{found.damage} {found.object}: {found.detail}" for found in report.findings]
        if report.outcome is not Outcome.SOUND and not findings:
            findings = [report.outcome.value]
        return {"findings": findings, "files": report.files, "snapshots": report.manifests, "rows": report.rows}

    def size(self) -> dict[str, int]:
        """Return how many objects the store holds, and their bytes."""
        found = list(self.repository().store.list(""))
        return {"objects": len(found), "bytes": sum(each.size for each in found)}

    def compare(self, corrected: Mapping[str, str]) -> dict[str, Any]:
        """Compare the newest snapshot with the source, row by row."""
        source = self.repository().source()
        return self._compared(source.tables(), lambda table: _bag(_columns(read_all(source, table))), corrected)

    def restore(self, corrected: Mapping[str, str]) -> dict[str, Any]:
        """Restore the newest snapshot, compare it with the source row by row, and prove the restore."""
        repository = self.repository()
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            path = Path(place) / "restored.duckdb"
            restore(repository, DuckDBTarget(path))
            with duckdb.connect(str(path), read_only=True) as connection:
                [names] = [connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
                found = self._compared(
                    [name for (name,) in names],
                    lambda table: _bag(
                        _columns(connection.sql(f'SELECT * FROM elementary."{table}"').to_arrow_table())
                    ),
                    corrected,
                )
        return {**found, "differences": list(drill(repository, folder=self.folder).differences)}

    def digest(self, snapshot: str) -> dict[str, str]:
        """Return a digest of each table of a snapshot, in which the order of rows does not count."""
        source = self.repository().source(snapshot)
        return {table: _digest(_bag(_kept(source, table))[1]) for table in source.tables() if table != EXPIRING}

    def _compared(
        self,
        held: Iterable[str],
        read: Callable[[str], tuple[list[str], Counter[tuple[Any, ...]]]],
        corrected: Mapping[str, str],
    ) -> dict[str, Any]:
        """Return the rows of the source that a snapshot lacks, and those of the snapshot that no source ever had."""
        lost, foreign, rows, pending = [], [], 0, 0
        present = set(held)
        with self.server.connect(database=self.database) as connection:
            for table in TABLES:
                cursor = connection.execute(
                    "SELECT column_name FROM information_schema.columns WHERE table_schema = 'elementary' "
                    "AND table_name = %s",
                    (table,),
                )
                if not (there := {str(name) for (name,) in cursor.fetchall()}):
                    continue
                if table not in present:
                    lost.append(f"{table} is not in the snapshot")
                    continue
                columns, snapshot = read(table)
                if missing := {each for each in there if TABLES[table].column(each)} - set(columns):
                    lost.append(f"{table} lacks {sorted(missing)}")
                    continue
                # A restore makes every column that a release has; the source may be older.
                columns, snapshot = _without_empty(columns, snapshot, there)
                names = ", ".join(f'"{name}"' for name in columns)
                fetched = connection.execute(f'SELECT {names} FROM elementary."{table}"'.encode()).fetchall()
                source = Counter(_redacted(columns, row) for row in fetched)
                rows += len(fetched)
                for row in source - snapshot:
                    key = str(row[columns.index(TABLES[table].key[0])]) if TABLES[table].key else ""
                    if key in corrected:
                        pending += 1
                    else:
                        lost.append(f"{table}: {row}")
                foreign += [
                    f"{table}: {row}"
                    for row in snapshot - source
                    if not _may_be_gone(table, columns, row, fetched, corrected)
                ]
        return {"rows": rows, "lost": lost[:5], "lost_rows": len(lost), "foreign": foreign[:5], "pending": pending}


def _may_be_gone(
    table: str,
    columns: list[str],
    row: tuple[Any, ...],
    source: Sequence[tuple[Any, ...]],
    corrected: Mapping[str, str],
) -> bool:
    """Return whether a row of the snapshot is one that the source had: older than all it has, or corrected since."""
    if TABLES[table].watermark is None:
        return False
    if str(row[columns.index(TABLES[table].key[0])]) in corrected:
        return True
    place = columns.index("created_at")
    return all(row[place] < other[place] for other in source)


def _columns(table: Any) -> tuple[list[str], list[list[Any]]]:
    return table.column_names, [column.to_pylist() for column in table.columns]


def _kept(source: Source, table: str) -> tuple[list[str], list[list[Any]]]:
    rows = read_all(source, table)
    expiring = {column.name for column in TABLES[table].known_columns if column.category is Category.FAILED_ROWS_SAMPLE}
    return _columns(rows.drop_columns([name for name in rows.column_names if name in expiring]))


def _bag(table: tuple[list[str], list[list[Any]]]) -> tuple[list[str], Counter[tuple[Any, ...]]]:
    names, columns = table
    return names, Counter(zip(*columns, strict=True))


def _without_empty(
    names: list[str], rows: Counter[tuple[Any, ...]], kept: set[str]
) -> tuple[list[str], Counter[tuple[Any, ...]]]:
    """Leave out the columns that hold nothing, but for some."""
    filled = {place for row in rows for place, value in enumerate(row) if value is not None}
    places = [place for place, name in enumerate(names) if name in kept or place in filled]
    found: Counter[tuple[Any, ...]] = Counter()
    for row, count in rows.items():
        found[tuple(row[place] for place in places)] += count
    return [names[place] for place in places], found


def _redacted(columns: Sequence[str], row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row as the policy lets it out: dbt vars are masked."""
    return tuple(
        "***" if name in ("vars", "invocation_vars") and value is not None else value
        for name, value in zip(columns, row, strict=True)
    )


def _digest(rows: Counter[tuple[Any, ...]]) -> str:
    total = sum(count * int.from_bytes(hashlib.sha256(repr(row).encode()).digest()[:16]) for row, count in rows.items())
    return f"{total % 2**128:032x}"


def _head(repository: Repository) -> list[Any]:
    newest = find_manifest(repository)
    return [newest.sequence, newest.sha256]


class Page:
    """The Elementary page's JSON over one store, in a process that lives on.

    :param places: where the store is.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._opened: Any = None
        self._reader = StoreReader(lambda: self._opened)

    def poll(self, paths: Sequence[str] = _VIEWS) -> int:
        """Build some views, as one who keeps the page open does; return how many fields they have."""
        repository = self._places.repository()
        ViewedStore.share(repository)
        self._opened = SimpleNamespace(
            repository=repository,
            store=repository.store,
            keys=repository.keys,
            uri=repository.uri,
            has_keys=True,
            is_pinned=True,
            store_conn_id="soak",
        )
        views = {view.path: view for view in VIEWS}
        fields = 0
        for path in paths:
            with self._reader.one_answer(path):
                fields += len(json_of(views[path].build(Request(self._reader, {}))))
        return fields
