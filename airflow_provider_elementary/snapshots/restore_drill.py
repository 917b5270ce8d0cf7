"""Proves that a snapshot can be restored, by restoring and comparing it."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from airflow_provider_elementary.duckdb_sandbox import SPILL_LIMIT
from airflow_provider_elementary.elementary_schema import DEFAULT_SCHEMA, TABLES
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.quoting import identifier
from airflow_provider_elementary.snapshots.lookup import find_manifest
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.snapshots.prune_record import without_expired
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.snapshots.restore import restore
from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget
from airflow_provider_elementary.source import with_own_errors

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository


@dataclass(frozen=True)
class DrillReport:
    """What a restore drill found.

    :param snapshot_id: the snapshot.
    :param sequence: its place in the chain.
    :param created_at: when it was taken, UTC, ISO 8601.
    :param rows: rows in the restored tables.
    :param tables: tables with rows in the snapshot, each of which was compared.
    :param expired: categories of which prune removed data from this snapshot.
    :param differences: what is not as the manifest and its files say, in words; empty where all is.
    """

    snapshot_id: str
    sequence: int
    created_at: str
    rows: int
    tables: int
    expired: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the restored schema is the snapshot."""
        return not self.differences

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        facts = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return facts | {"passed": self.passed}

    def require(self) -> None:
        """Raise where something differs.

        :raises SnapshotCorruptError: with the differences.
        """
        if self.differences:
            raise SnapshotCorruptError(
                f"The restored copy of snapshot {self.snapshot_id} differs from what it holds: "
                f"{'; '.join(self.differences)}. Verify the store, and use an older snapshot meanwhile."
            )


def drill(repository: Repository, *, snapshot: str | datetime = "latest", folder: Path | None = None) -> DrillReport:
    """Restore a snapshot into a DuckDB file that nobody else can read, compare it, and remove it.

    For each table, the rows of the restored file are counted and compared with the signed manifest. A digest of them is
    compared with that of the rows in the snapshot's files, which are read again and have the hashes that were signed.

    :param snapshot: which; see :func:`~airflow_provider_elementary.snapshots.open_snapshot`.
    :param folder: where the file is for that time; by default the folder for temporary files.
    :raises KeyUnavailableError: the keys do not open a category of the snapshot.
    :raises SnapshotCorruptError: a file is not what was written.
    """
    manifest, expired = without_expired(repository, find_manifest(repository, snapshot))
    with tempfile.TemporaryDirectory(prefix="elementary-drill-", dir=folder) as place:
        path = Path(place) / "restored.duckdb"
        # By its id: another snapshot may have become the newest meanwhile.
        categories = sorted({file.category for file in manifest.files})
        report = restore(repository, DuckDBTarget(path), snapshot=manifest.snapshot_id, categories=categories)
        source = SnapshotSource(repository, manifest)
        counted = _rows_by_table(manifest.files)
        config: dict[str, str | bool | int | float | list[str]] = {"temp_directory": place, "memory_limit": SPILL_LIMIT}
        with duckdb.connect(str(path), read_only=True, config=config) as restored:
            differences = [
                difference
                for table in TABLES
                for difference in _compare(restored, source, table, counted[table], is_held=table in source.tables())
            ]
    return DrillReport(
        snapshot_id=manifest.snapshot_id,
        sequence=manifest.sequence,
        created_at=manifest.created_at,
        rows=report.rows,
        tables=sum(rows > 0 for rows in counted.values()),
        expired=tuple(category.value for category in expired),
        differences=tuple(differences),
    )


def _rows_by_table(files: Iterable[FileEntry]) -> dict[str, int]:
    """Return the rows of each table by the manifest: files of the same rows in several categories count once."""
    parts: dict[tuple[str, str, str], list[FileEntry]] = defaultdict(list)
    for file in files:
        parts[file.table, file.snapshot_id, file.part].append(file)
    rows: dict[str, int] = defaultdict(int)
    for (table, _, _), written in parts.items():
        rows[table] += sum(file.rows for file in written) if written[0].by_rows else written[0].rows
    return rows


def _compare(
    restored: duckdb.DuckDBPyConnection, source: SnapshotSource, table: str, counted: int, *, is_held: bool
) -> list[str]:
    name = f"{identifier(DEFAULT_SCHEMA, 'duckdb')}.{identifier(table, 'duckdb')}"
    types = {column: kind for column, kind, *_ in restored.execute(f"DESCRIBE {name}").fetchall()}
    columns = source.schema(table).names if is_held else list(types)
    hashed = ", ".join(f"CAST({identifier(column, 'duckdb')} AS {types[column]})" for column in columns)
    # A sum, so that neither the order of rows counts nor does a row that is there twice cancel out.
    digest = f"SELECT count(*), coalesce(sum(CAST(hash({hashed}) AS HUGEINT)), 0) FROM "  # noqa: S608 - quoted names
    [there] = restored.execute(digest + name).fetchall()
    if there[0] != counted:
        return [f"{table} has {there[0]:,} rows instead of {counted:,}"]
    if not is_held:
        return []
    with with_own_errors(source.read(table)) as reader:
        restored.register("snapshot_rows", reader)
        [written] = restored.execute(digest + "snapshot_rows").fetchall()
        restored.unregister("snapshot_rows")
    return [] if written == there else [f"{table} has other values than the files of the snapshot"]
