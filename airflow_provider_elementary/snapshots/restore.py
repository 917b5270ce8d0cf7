"""Restores the tables and views of a snapshot into an empty place."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES, Category, Table
from airflow_provider_elementary.elementary_schema.ddl import Dialect, arrow_type, create_tables
from airflow_provider_elementary.elementary_schema.views import create_views
from airflow_provider_elementary.exceptions import KeyUnavailableError
from airflow_provider_elementary.progress import Progress, no_progress
from airflow_provider_elementary.snapshots.fitting import require_fit
from airflow_provider_elementary.snapshots.lookup import find_manifest
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.snapshots.prune_record import without_expired
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.snapshots.restore_targets import RestoreSession, RestoreTarget
from airflow_provider_elementary.source import reader_of, with_own_errors
from airflow_provider_elementary.storage.keys import Purpose, StoreKeys

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RestoreReport:
    """What was restored, and what is not there.

    :param snapshot_id: the snapshot.
    :param sequence: its place in the chain.
    :param created_at: when it was taken, UTC, ISO 8601.
    :param target: where it was restored to.
    :param tables: the rows of each table; those of which the snapshot holds nothing are there and empty.
    :param categories: the categories that were restored.
    :param expired: categories of which prune removed data from this snapshot.
    :param not_decrypted: categories of the snapshot that the keys do not open, so that their data is missing.
    """

    snapshot_id: str
    sequence: int
    created_at: str
    target: str
    tables: dict[str, int]
    categories: tuple[str, ...]
    expired: tuple[str, ...]
    not_decrypted: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Rows over all tables."""
        return sum(self.tables.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        facts = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return facts | {"rows": self.rows}


def restore(
    repository: Repository,
    target: RestoreTarget,
    *,
    snapshot: str | datetime = "latest",
    categories: Sequence[Category] | None = None,
    progress: Progress = no_progress,
) -> RestoreReport:
    """Restore a snapshot as an Elementary schema that the dbt package and ``edr`` work on.

    All 17 tables are made with the package's columns, in its order and its types, and the 13 views over them; what the
    snapshot does not hold is empty. The target holds all of it in the end, or nothing.

    :param target: where to; nothing in it is ever overwritten.
    :param snapshot: which; see :func:`~airflow_provider_elementary.snapshots.open_snapshot`.
    :param categories: what to restore; by default all that the keys open.
    :param progress: goes through the tables; shows the progress where somebody looks.
    :raises SnapshotNotFoundError: there is no such snapshot.
    :raises KeyUnavailableError: the keys do not open a category that was asked for, or none at all.
    :raises SnapshotCorruptError: a file is not what was written.
    :raises ConfigurationError: the target is neither new nor empty.
    :raises ValueDoesNotFitError: a value is longer or larger than its type there.
    """
    manifest, expired = without_expired(repository, find_manifest(repository, snapshot))
    opened, refused = _openable(manifest, repository.keys, categories)
    manifest = replace(manifest, files=tuple(file for file in manifest.files if file.category in opened))
    source = SnapshotSource(repository, manifest)
    held = source.tables()
    # Values of another kind of warehouse may be longer or more exact than the package's types here can hold.
    widest = manifest.source.get("dialect") != target.dialect
    left = {file.category for file in manifest.files}
    rows = dict.fromkeys(TABLES, 0)
    with target.open() as session:
        columns = {name: source.schema(name).names for name in held}
        statements = create_tables(target.dialect, target.schema, widest=widest, held=columns)
        for name, statement in progress(statements.items(), "Restoring tables"):
            session.execute(statement)
            if name in held:
                rows[name] = _load(session, source, TABLES[name], target.dialect, widest=widest)
                log.info("restored %s: %s rows", name, f"{rows[name]:,}")
        for statement in create_views(target.dialect, target.schema).values():
            session.execute(statement)
    return RestoreReport(
        snapshot_id=manifest.snapshot_id,
        sequence=manifest.sequence,
        created_at=manifest.created_at,
        target=target.name,
        tables=rows,
        categories=tuple(category.value for category in Category if category in left),
        expired=tuple(category.value for category in expired if category in opened),
        not_decrypted=tuple(category.value for category in Category if category in refused),
    )


def _openable(
    manifest: Manifest, keys: StoreKeys, wanted: Sequence[Category] | None
) -> tuple[set[Category], set[Category]]:
    """Return the categories to restore, and those that the keys do not open.

    Each category that was asked for has to open; of all categories, at least one.
    """
    opened: set[Category] = set()
    refused: dict[Category, KeyUnavailableError] = {}
    for name, wrapped in manifest.keys.items():
        category = Category(name)
        if wanted is not None and category not in wanted:
            continue
        try:
            keys.unwrap(category, wrapped, Purpose.SNAPSHOT)
        except KeyUnavailableError as error:
            if wanted is not None:
                raise
            refused[category] = error
        else:
            opened.add(category)
    if refused and not opened:
        raise next(iter(refused.values()))
    return opened, set(refused)


def _load(session: RestoreSession, source: SnapshotSource, table: Table, dialect: Dialect, *, widest: bool) -> int:
    """Copy one table in the types that the target declares, and return how many rows it has."""
    rows = 0
    types = {column.name: arrow_type(table, column) for column in table.known_columns}
    schema = pa.schema([(name, types[name]) for name in source.schema(table.name).names])

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for batch in source.read(table.name):
            require_fit(batch, table, dialect, widest=widest)
            rows += batch.num_rows
            yield batch.cast(schema)

    with with_own_errors(reader_of(schema, batches())) as reader:
        session.load(table.name, reader)
    return rows
