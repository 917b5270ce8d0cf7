"""Taking a snapshot: read each table once, apply the policy, seal it part by part, commit with the manifest."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary import __version__
from airflow_provider_elementary.catalog import TABLES, Category, Table
from airflow_provider_elementary.exceptions import SnapshotConflictError
from airflow_provider_elementary.snapshots.keys import DataKey, Keys
from airflow_provider_elementary.snapshots.manifest import (
    FileEntry,
    Manifest,
    Parent,
    TableEntry,
    manifest_key,
    sha256,
)
from airflow_provider_elementary.snapshots.parts import Part, parts_of
from airflow_provider_elementary.snapshots.policy import (
    FailedRowsLimit,
    HeldBack,
    Policy,
    limit_failed_row_lists,
    mask_columns,
)
from airflow_provider_elementary.snapshots.read import committed_sequences
from airflow_provider_elementary.snapshots.seal import SealedFile, sealed
from airflow_provider_elementary.snapshots.store import Store
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.source import WarehouseSource

log = logging.getLogger(__name__)

_COMMIT_TRIES = 5


@dataclass(frozen=True)
class _Run:
    """What stays the same while one snapshot is taken."""

    source: WarehouseSource
    store: Store
    policy: Policy
    snapshot_id: str
    taken_at: datetime
    data_keys: Mapping[Category, DataKey]
    held_back: HeldBack


@dataclass
class _OpenPart:
    """One part while its rows stream by."""

    part: Part
    key: str
    file: SealedFile
    limit: FailedRowsLimit | None
    min_watermark: datetime | None = None
    max_watermark: datetime | None = None


def write_snapshot(
    source: WarehouseSource,
    store: Store,
    keys: Keys,
    *,
    policy: Policy | None = None,
    run_key: str | None = None,
    access: Mapping[str, Any] | None = None,
) -> Manifest:
    """Take a full snapshot of every catalog table that the source holds.

    Nothing counts before the manifest is written: a crash leaves the last snapshot as it was, and files that no
    manifest names. Memory is bounded by a few row groups, whatever the size of a table.

    :param source: the open warehouse.
    :param store: where the snapshot goes.
    :param keys: master keys of the categories that are taken.
    :param policy: what is taken; see :class:`Policy` for the default.
    :param run_key: what the snapshot is taken for; where that was committed before, the earlier snapshot is returned.
    :param access: the report of the access check, for the manifest.
    :return: the manifest as committed.
    :raises ElementaryError: see each of its kinds; no manifest is left behind.
    """
    policy = policy or Policy()
    taken_at = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    snapshot_id = f"{taken_at:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}"
    run_key = run_key or snapshot_id
    if (earlier := _committed_for(store, run_key)) is not None:
        log.info("%s was committed for %s before; nothing to do", earlier.snapshot_id, run_key)
        return earlier
    # The first write and the first use of each key come before the first read: what is refused is refused early.
    _intend(store, run_key, snapshot_id, None)
    context = {"application": "airflow-provider-elementary", "snapshot": snapshot_id}
    run = _Run(
        source=source,
        store=store,
        policy=policy,
        snapshot_id=snapshot_id,
        taken_at=taken_at,
        data_keys={
            category: keys.new_data_key(category, {**context, "category": category.value})
            for category in _categories_held(source, policy)
        },
        held_back=HeldBack(),
    )
    tables: dict[str, TableEntry] = {}
    files: list[FileEntry] = []
    for name in source.tables():
        entry, sealed_files = _seal_table(run, TABLES[name])
        tables[name] = entry
        files += sealed_files
    manifest = Manifest(
        snapshot_id=snapshot_id,
        sequence=0,
        kind="full",
        created_at=taken_at.isoformat(),
        run_key=run_key,
        source=_describe(source),
        parent=None,
        tables=tables,
        files=tuple(files),
        keys={category.value: key.wrapped for category, key in run.data_keys.items()},
        policy=policy.to_dict(),
        held_back=tuple(run.held_back.to_list()),
        access=access,
        protection=store.describe(),
        versions={"airflow-provider-elementary": __version__, "pyarrow": pa.__version__},
    )
    return _commit(store, manifest)


def _categories_held(source: WarehouseSource, policy: Policy) -> list[Category]:
    held = {category for name in source.tables() for category in TABLES[name].categories}
    return [category for category in policy.categories if category in held]


def _seal_table(run: _Run, table: Table) -> tuple[TableEntry, list[FileEntry]]:
    """Read one table once and seal all of its parts side by side."""
    held = run.source.held(table.name)
    parts = parts_of(table, list(held.columns), run.policy.categories)
    taken = {part.category for part in parts}
    entry = TableEntry(
        rows=0,
        unknown_columns=held.unknown,
        missing_columns=held.missing,
        withheld=tuple(category for category in table.categories if category not in taken),
    )
    if not parts:
        log.info("%s: left out, as %s is", table.name, ", ".join(category.label for category in entry.withheld))
        return entry, []
    started = time.monotonic()
    # Columns of categories that are left out are not even read.
    columns = [name for name in held.columns if any(name in part.columns for part in parts)]
    rows = 0
    with ExitStack() as stack:
        open_parts = [_open_part(run, stack, part) for part in parts]
        with run.source.read(table.name, columns=columns) as reader:
            for batch in reader:
                rows += batch.num_rows
                batch = limit_failed_row_lists(batch, table, run.policy, run.held_back)
                batch = mask_columns(batch, table, run.policy, run.held_back)
                for open_part in open_parts:
                    _add(table, open_part, batch)
                if table.row_split is not None:
                    _count_withheld_rows(run, table, parts, batch)
    files = [_file_entry(run, open_part) for open_part in open_parts]
    seconds = time.monotonic() - started
    size = sum(file.size for file in files)
    log.info("%s: %s rows, %s bytes in %s files, %.1f s", table.name, f"{rows:,}", f"{size:,}", len(files), seconds)
    return replace(entry, rows=rows), files


def _open_part(run: _Run, stack: ExitStack, part: Part) -> _OpenPart:
    table = TABLES[part.table]
    key = f"data/{run.snapshot_id}/{part.table}/{part.category.value}.parquet"
    schema = pa.schema([run.source.schema(part.table).field(name) for name in part.columns])
    target = stack.enter_context(run.store.create(key))
    data_key = run.data_keys[part.category].plaintext
    file = stack.enter_context(sealed(target, schema, data_key, table.required_columns))
    is_sample = table.category is part.category is Category.FAILED_ROWS_SAMPLE
    limit = FailedRowsLimit(table, run.policy, run.taken_at, run.held_back) if is_sample else None
    return _OpenPart(part, key, file, limit)


def _add(table: Table, open_part: _OpenPart, batch: pa.RecordBatch) -> None:
    own = open_part.part.select(batch)
    if open_part.limit is not None:
        own = open_part.limit.apply(own)
    if table.watermark is not None and own.num_rows:
        least_greatest = pc.min_max(own[table.watermark]).as_py()
        known = [moment for moment in (open_part.min_watermark, least_greatest["min"]) if moment is not None]
        open_part.min_watermark = min(known, default=None)
        known = [moment for moment in (open_part.max_watermark, least_greatest["max"]) if moment is not None]
        open_part.max_watermark = max(known, default=None)
    open_part.file.write(own)


def _count_withheld_rows(run: _Run, table: Table, parts: Sequence[Part], batch: pa.RecordBatch) -> None:
    """Count the rows of categories that are left out, where a table's rows belong to several."""
    taken = {part.category for part in parts}
    for part in parts_of(table, batch.schema.names, table.categories):
        if part.category not in taken:
            run.held_back.rows[f"category {part.category.value} out", table.name] += part.select(batch).num_rows


def _file_entry(run: _Run, open_part: _OpenPart) -> FileEntry:
    part, file = open_part.part, open_part.file
    return FileEntry(
        key=open_part.key,
        snapshot_id=run.snapshot_id,
        table=part.table,
        category=part.category,
        columns=part.columns,
        by_rows=part.split is not None,
        rows=file.rows,
        size=file.size,
        sha256=file.sha256,
        min_watermark=open_part.min_watermark.isoformat() if open_part.min_watermark else None,
        max_watermark=open_part.max_watermark.isoformat() if open_part.max_watermark else None,
    )


def _describe(source: WarehouseSource) -> dict[str, Any]:
    versions = read_all(source, "metadata")["dbt_pkg_version"].to_pylist() if "metadata" in source.tables() else []
    warehouse = source.warehouse
    return {
        "dialect": warehouse.dialect,
        "database": warehouse.database,
        "schema": warehouse.schema,
        "elementary_version": versions[0] if versions else None,
    }


def _commit(store: Store, manifest: Manifest) -> Manifest:
    """Write the manifest under the next free sequence number; of several writers one gets each number."""
    for _ in range(_COMMIT_TRIES):
        sequences = committed_sequences(store)
        parent = None
        if sequences:
            content = store.get(manifest_key(sequences[-1])) or b""
            parent = Parent(sequences[-1], sha256(content))
        manifest = replace(manifest, sequence=sequences[-1] + 1 if sequences else 1, parent=parent)
        _intend(store, manifest.run_key, manifest.snapshot_id, manifest.sequence)
        if store.put_if_absent(manifest_key(manifest.sequence), manifest.to_bytes()):
            log.info("committed snapshot %s as number %s in %s", manifest.snapshot_id, manifest.sequence, store.uri)
            return manifest
    raise SnapshotConflictError(
        f"Expected to commit snapshot {manifest.snapshot_id} to {store.uri}, found that other writers came first "
        f"{_COMMIT_TRIES} times. Let one DAG run at a time write to a store (max_active_runs=1), and retry."
    )


def _intent_key(run_key: str) -> str:
    return f"runs/{sha256(run_key.encode())[:32]}.json"


def _intend(store: Store, run_key: str, snapshot_id: str, sequence: int | None) -> None:
    """Note, before the commit, under which number this run is about to commit: a second try finds it there."""
    facts = {"run_key": run_key, "snapshot_id": snapshot_id, "sequence": sequence}
    store.put(_intent_key(run_key), json.dumps(facts, sort_keys=True).encode())


def _committed_for(store: Store, run_key: str) -> Manifest | None:
    """Return the snapshot that an earlier try of the same run committed, if it did."""
    if (intent := store.get(_intent_key(run_key))) is None:
        return None
    facts = json.loads(intent)
    if facts["sequence"] is None or (content := store.get(manifest_key(facts["sequence"]))) is None:
        return None
    manifest = Manifest.from_bytes(content, manifest_key(facts["sequence"]))
    return manifest if manifest.snapshot_id == facts["snapshot_id"] else None
