"""Takes a snapshot: plans, captures each table, commits the manifest."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    SnapshotConflictError,
    SnapshotCorruptError,
    TableReplacedError,
    TableUnreadableError,
)
from airflow_provider_elementary.progress import RowsRead, no_row_progress
from airflow_provider_elementary.snapshots.capture.audit import Audit, compare_days, compare_full, prepare
from airflow_provider_elementary.snapshots.capture.commit import commit, committed_for, require_writer
from airflow_provider_elementary.snapshots.capture.consistency import (
    ConsistencyPoint,
    Tally,
    consistency_entry,
    find_consistency_point,
    next_window,
)
from airflow_provider_elementary.snapshots.capture.data_keys import OpenKeys, categories_of, open_keys
from airflow_provider_elementary.snapshots.capture.history import ParentCorrupt, check_history, look_back, new_epoch
from airflow_provider_elementary.snapshots.capture.plan import Plan, SnapshotOptions, plan_snapshot
from airflow_provider_elementary.snapshots.capture.table import (
    Run,
    SourceHistoryTruncated,
    capture_table,
    columns_read,
    settle,
)
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest, TableEntry, writer_versions
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.policy.redaction import Exclusions, results_with_samples
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.store import Store
from airflow_provider_elementary.times import utc_now
from airflow_provider_elementary.warehouses.changes import TableChanges, read_changes
from airflow_provider_elementary.warehouses.indexes import index_statements
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.watermarks import WatermarkType

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

_ATTEMPTS = 4


def write_snapshot(
    source: WarehouseSource,
    repository: Repository,
    *,
    policy: Policy | None = None,
    run_key: str | None = None,
    access: Mapping[str, Any] | None = None,
    anchor: Anchor | None = None,
    full_every_days: float = 7,
    audit_days: int = 0,
    overlap: timedelta = timedelta(hours=1),
    commit_timeout: timedelta = timedelta(hours=6),
    rows_read: RowsRead = no_row_progress,
) -> Manifest:
    """Take a snapshot of the finished dbt runs in every catalog table that the source holds.

    It carries the files of the newest snapshot of the store and adds what is new since then, or reads everything again:
    the manifest's ``reason`` says why. Nothing counts before the manifest is written: a crash leaves the last snapshot
    as it was, and files that no manifest names, which prune removes; a retry starts again. Memory is bounded by a few
    row groups and the rows of the window that is read again, whatever the size of a table.

    :param source: the open warehouse.
    :param repository: where the snapshot goes, with master keys of the categories that are taken, and a signer.
    :param policy: what is taken; see :class:`Policy` for the default.
    :param run_key: what the snapshot is taken for; where one of the newest snapshots was committed for it before, that
        one is returned.
    :param access: the report of the access check, for the manifest.
    :param anchor: the newest manifest that was recorded outside the store. Where the chain does not contain it, a full
        snapshot with new data keys is committed, and then this raises.
    :param full_every_days: after how many days everything is read again; 0 reads everything each time.
    :param audit_days: how many settled days of each table an incremental snapshot compares by their contents.
    :param overlap: rows this much older than the newest are read again, for commits that came late.
    :param commit_timeout: after how long, by the warehouse's time, rows of a run without a commit marker are taken as
        they are.
    :param rows_read: called with the table and the number of rows that were read, to show progress.
    :return: the manifest as committed.
    :raises SnapshotConflictError: another writer came first; a retry with a new session may help.
    :raises SnapshotCorruptError: the chain does not contain the anchor; a full snapshot was committed.
    :raises ElementaryError: see each of its kinds; no manifest is written.
    """
    if full_every_days < 0 or overlap < timedelta(0) or commit_timeout < timedelta(0):
        raise ConfigurationError(
            "full_every_days, overlap and commit_timeout have to be 0 or more, not "
            f"{full_every_days}, {overlap} and {commit_timeout}."
        )
    policy = policy or Policy()
    taken_at = utc_now().replace(microsecond=0)
    run_key = run_key or _new_id(taken_at)
    if (earlier := committed_for(repository, run_key, categories_of(source, policy))) is not None:
        log.info("%s was committed for %s before; nothing to do", earlier.snapshot_id, run_key)
        _require_no_damage(repository, earlier)
        return earlier
    # What is refused is refused now, before anything is read.
    require_writer(repository)
    options = SnapshotOptions(policy, overlap, commit_timeout, timedelta(days=full_every_days), audit_days, rows_read)
    lost = 0
    while lost < _ATTEMPTS:
        try:
            captured = _capture(source, repository, options, taken_at, run_key, anchor)
        except TableUnreadableError as unreadable:
            log.warning("%s; starting again: %s", source.give_way(unreadable), unreadable.reason)
            continue
        except TableReplacedError as error:
            lost += 1
            if lost == _ATTEMPTS:
                raise
            log.warning("reading from the start again, attempt %d of %d: %s", lost + 1, _ATTEMPTS, error)
            continue
        manifest = replace(captured.manifest, access=access)
        if (committed := commit(repository, manifest, captured.plan)) is not None:
            _require_no_damage(repository, committed, captured.plan.damage)
            return committed
        lost += 1
        log.info("commit conflict in %s; retrying on top of the new snapshot", repository.uri)
    raise SnapshotConflictError(
        f"Could not commit to {repository.uri}: {_ATTEMPTS} attempts conflicted with other writers. Let one DAG run at "
        "a time write to a store (max_active_runs=1), and retry."
    )


@dataclass(frozen=True)
class _Captured:
    """A snapshot whose files are written, and that is not committed yet."""

    manifest: Manifest
    plan: Plan


def _capture(
    source: WarehouseSource,
    repository: Repository,
    options: SnapshotOptions,
    taken_at: datetime,
    run_key: str,
    anchor: Anchor | None,
) -> _Captured:
    """Write the files of a snapshot, of a full one where the source turns out not to continue its parent."""
    # Before the tables are held: what is counted later is then seen the next time, and nothing is missed.
    changes = read_changes(source.warehouse)
    _advise_indexes(source)
    source.hold()
    plan = plan_snapshot(source, repository, options, taken_at, anchor)
    captured = _capture_as_planned(source, repository, options, taken_at, run_key, plan, changes)
    if isinstance(captured, Plan):
        # What was written under the first plan is left for prune to remove.
        captured = _capture_as_planned(source, repository, options, taken_at, run_key, captured, changes)
    assert isinstance(captured, _Captured)  # noqa: S101 - a full snapshot builds upon nothing that could fail it
    return captured


def _kept(source: WarehouseSource, plan: Plan, policy: Policy) -> dict[str, list[str]]:
    """Return the columns of the tables whose windows are read once, for planning and capture."""
    if plan.base is None:
        return {}
    columns = {
        name: columns_read(source, TABLES[name], policy)
        for name in source.tables()
        # Rows without a time are of every window: they are counted first.
        if TABLES[name].watermark is not None
        and not plan.base.manifest.tables[name].undated_rows
        and source.table(name).watermark_type is not WatermarkType.OTHER
    }
    return {name: found for name, found in columns.items() if found}


def _advise_indexes(source: WarehouseSource) -> None:
    """Log once how the owner of the tables makes a sync read its window alone."""
    held = {name: source.table(name) for name in source.tables()}
    watermarks = {
        one.name: one.columns[one.table.watermark]
        for one in held.values()
        if one.table.watermark is not None and one.table.watermark in one.columns
    }
    if statements := index_statements(source.warehouse, watermarks):
        log.info(
            "each sync scans %d large tables that have no index on their watermark; the owner of dbt's tables can "
            "create them (a post-hook of the models keeps them): %s",
            len(statements),
            " ".join(statements),
        )


def _capture_as_planned(
    source: WarehouseSource,
    repository: Repository,
    options: SnapshotOptions,
    taken_at: datetime,
    run_key: str,
    plan: Plan,
    changes: Mapping[str, TableChanges],
) -> _Captured | Plan:
    """Write the files of a snapshot as planned, or return the plan of a full one with the reason why."""
    snapshot_id = _new_id(taken_at)
    # The first use of each key comes before the first read: what is refused is refused early.
    plan, opened = open_keys(source, repository.keys, plan, options.policy)
    point = find_consistency_point(
        source, options.commit_timeout, plan.window_from, _kept(source, plan, options.policy)
    )
    try:
        point = look_back(source, plan, point, changes, options.policy)
        checked = check_history(plan, point)
        audit = prepare(source, repository, plan, options.policy, opened.of_hashes)
        if checked is plan and plan.base is not None and audit is not None:
            checked = compare_days(audit, source, plan, point, options.audit_days)
    except ParentCorrupt as damage:
        return plan.full(f"the snapshot before cannot be read: {damage}")
    if checked is not plan:
        return checked
    log.info("taking snapshot %s: %s", snapshot_id, plan.reason or "what is new since the one before")
    run = _start(source, repository.store, options, snapshot_id, plan, point, opened, changes, audit)
    entries: dict[str, TableEntry] = {}
    files: list[FileEntry] = []
    try:
        # dbt replaces tables without a watermark at every run: they are read first, while nobody has replaced them yet.
        for name in sorted(source.tables(), key=lambda name: TABLES[name].watermark is not None):
            entries[name], written = capture_table(run, TABLES[name])
            files += written
    except SourceHistoryTruncated as evidence:
        return new_epoch(plan, point, str(evidence))
    except ParentCorrupt as damage:
        return plan.full(f"the snapshot before cannot be read: {damage}")
    if run.audit is not None:
        run = replace(run, plan=_compared(run.audit, source, plan, point))
    return _Captured(_manifest(run, options, opened, taken_at, run_key, entries, files), run.plan)


def _compared(audit: Audit, source: WarehouseSource, plan: Plan, point: ConsistencyPoint) -> Plan:
    """Return the plan of a full snapshot with what the source no longer has of the snapshot before."""
    try:
        return compare_full(audit, source, plan, point)
    except ParentCorrupt as damage:
        log.warning("the source was not compared with the snapshot before, which cannot be read: %s", damage)
        return plan


def _start(
    source: WarehouseSource,
    store: Store,
    options: SnapshotOptions,
    snapshot_id: str,
    plan: Plan,
    point: ConsistencyPoint,
    opened: OpenKeys,
    changes: Mapping[str, TableChanges],
    audit: Audit | None,
) -> Run:
    since = point.watermark - timedelta(days=options.policy.failed_rows_days) if point.watermark else None
    if plan.window_from is not None:
        since = plan.window_from
    # The earliest time at which the next snapshot's window can begin, whatever this one meets.
    longest = max(options.overlap + point.spread_ever, options.commit_timeout + point.spread)
    young_from = point.watermark - longest if point.watermark else None
    sampled = results_with_samples(source, options.policy, since - options.commit_timeout) if since else None
    return Run(
        source=source,
        store=store,
        policy=options.policy,
        snapshot_id=snapshot_id,
        plan=plan,
        point=point,
        commit_timeout=options.commit_timeout,
        data_keys=opened.of_categories,
        hash_key=opened.of_hashes.plaintext if opened.of_hashes else None,
        sampled_results=sampled,
        exclusions=Exclusions(),
        tally=Tally(young_from),
        rows_read=options.rows_read,
        changes=changes,
        audit=audit if plan.base is None else None,
    )


def _manifest(
    run: Run,
    options: SnapshotOptions,
    opened: OpenKeys,
    taken_at: datetime,
    run_key: str,
    entries: Mapping[str, TableEntry],
    files: Sequence[FileEntry],
) -> Manifest:
    """Return the manifest of what was written; it has no place in the chain yet."""
    plan = run.plan
    window_from = next_window(run.point, run.tally, options.overlap, plan.window_from)
    return Manifest(
        snapshot_id=run.snapshot_id,
        sequence=0,
        kind=plan.kind,
        created_at=taken_at.isoformat(),
        run_key=run_key,
        source=_describe(run.source),
        parent=None,
        tables={name: settle(run, TABLES[name], entry, window_from) for name, entry in entries.items()},
        files=tuple(files),
        keys={category.value: key.wrapped for category, key in opened.of_categories.items()},
        policy=run.policy.to_dict(),
        exclusions=tuple(run.exclusions.to_list()),
        excluded=dict(run.source.excluded),
        rejected=tuple(run.source.rejections.to_list()),
        access=None,
        protection=run.store.describe(),
        versions=writer_versions(),
        epoch=plan.epoch,
        reason=plan.reason,
        full_at=plan.base.manifest.full_at if plan.base else taken_at.isoformat(),
        consistency=consistency_entry(
            run.point,
            run.tally,
            window_from=window_from,
            overlap=options.overlap,
            commit_timeout=options.commit_timeout,
            earlier=plan.earlier,
        ),
        hash_key=opened.of_hashes.wrapped if opened.of_hashes else None,
        lost_until=plan.lost_until,
    )


def _require_no_damage(repository: Repository, committed: Manifest, damage: str | None = None) -> None:
    """Raise where the snapshot was taken upon a damaged chain; it is committed, and a retry ends in the same way.

    :raises SnapshotCorruptError: the chain is damaged.
    """
    if damage is None and committed.lost_until is None:
        return
    raise SnapshotCorruptError(
        f"Snapshot {committed.snapshot_id} was committed to {repository.uri} in full and with new data keys, as the "
        f"chain is damaged: {damage or committed.reason}. Find out who removed or replaced snapshots, restore them from"
        " a replica or older versions, and run `airflow-elementary snapshot verify`."
    )


def _describe(source: WarehouseSource) -> dict[str, Any]:
    versions = read_all(source, "metadata")["dbt_pkg_version"].to_pylist() if "metadata" in source.tables() else []
    warehouse = source.warehouse
    return {
        "dialect": warehouse.dialect,
        "adapter": warehouse.adapter,
        "database": warehouse.database,
        "schema": warehouse.schema,
        "elementary_version": versions[0] if versions else None,
        "namespace": source.namespace,
    }


def _new_id(taken_at: datetime) -> str:
    return f"{taken_at:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}"
