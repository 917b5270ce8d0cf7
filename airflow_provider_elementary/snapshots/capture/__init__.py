"""Takes a snapshot: plans, captures each table, commits the manifest."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    ElementaryError,
    ObjectNotFoundError,
    SnapshotConflictError,
    SnapshotCorruptError,
    TableReplacedError,
    TableUnreadableError,
)
from airflow_provider_elementary.progress import RowsRead, no_row_progress
from airflow_provider_elementary.snapshots.capture.audit import (
    SourceAudit,
    compare_days,
    compare_full,
    prepare_audit,
    read_ranges,
)
from airflow_provider_elementary.snapshots.capture.collect import (
    Preparation,
    capture_slices,
    describe_captured,
    join,
    shrunken_tables,
)
from airflow_provider_elementary.snapshots.capture.commit import commit, committed_for, require_signer
from airflow_provider_elementary.snapshots.capture.consistency import ConsistencyPoint, find_consistency_point
from airflow_provider_elementary.snapshots.capture.data_keys import captured_categories, open_keys
from airflow_provider_elementary.snapshots.capture.history import ParentCorrupt, check_history, look_back, new_epoch
from airflow_provider_elementary.snapshots.capture.plan import Plan, SnapshotOptions, plan_snapshot
from airflow_provider_elementary.snapshots.capture.side_by_side import OpenSource, capture_side_by_side
from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.snapshots.capture.split import split_into_parts, whole_tables
from airflow_provider_elementary.snapshots.capture.table import SourceHistoryTruncated, columns_to_read
from airflow_provider_elementary.snapshots.lookup import find_head
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.layout import manifest_key
from airflow_provider_elementary.storage.object_store.probe import require_one_winner
from airflow_provider_elementary.timeouts import CLOSE_SECONDS, in_background
from airflow_provider_elementary.times import utc_now
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.system_catalog.changes import TableChanges, read_changes
from airflow_provider_elementary.warehouses.system_catalog.indexes import index_statements
from airflow_provider_elementary.warehouses.watermarks import WatermarkType

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.manifest_document import ManifestDocument
    from airflow_provider_elementary.snapshots.repository import Repository
    from airflow_provider_elementary.storage.signed_documents import Signed

log = logging.getLogger(__name__)

_ATTEMPTS = 4
#: The newest manifest of a store, and the snapshot that an earlier attempt of the run committed.
_Found = tuple["Signed[ManifestDocument] | None", Manifest | None]


def write_snapshot(
    source: WarehouseSource,
    repository: Repository,
    *,
    policy: Policy | None = None,
    run_key: str | None = None,
    run_after: datetime | None = None,
    access: Mapping[str, Any] | None = None,
    anchor: Anchor | None = None,
    full_every_days: float = 7,
    audit_days: int = 0,
    overlap: timedelta = timedelta(hours=1),
    commit_timeout: timedelta = timedelta(hours=6),
    rows_read: RowsRead = no_row_progress,
    open_source: OpenSource | None = None,
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
    :param run_after: no attempt of the run began before this time; see :func:`~.commit.committed_for`.
    :param access: the report of the access check, for the manifest.
    :param anchor: the newest manifest that was recorded outside the store. Where the chain does not contain it, a full
        snapshot with new data keys is committed, and then this raises.
    :param full_every_days: after how many days everything is read again; 0 reads everything each time.
    :param audit_days: how many settled days of each table an incremental snapshot compares by their contents.
    :param overlap: rows this much older than the newest are read again, for commits that came late.
    :param commit_timeout: after how long, by the warehouse's time, rows of a run without a commit marker are taken as
        they are.
    :param rows_read: called with the table and the number of rows that were read, to show progress.
    :param open_source: opens another session on the same warehouse; with it, threads read ranges of large tables.
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
    if anchor is not None:
        # The newest snapshot is among the names from it on.
        repository.listed_after = manifest_key(anchor.sequence - 1)
    repository.open_clients()
    attempt = _Attempt(
        source,
        repository,
        SnapshotOptions(policy, overlap, commit_timeout, timedelta(days=full_every_days), rows_read, audit_days),
        taken_at,
        run_key or new_id(taken_at),
        anchor,
        open_source,
    )
    categories = captured_categories(source, policy)
    lost = 0
    while lost < _ATTEMPTS:
        try:
            # Each time: others may have committed while tables were read.
            look = in_background("look-at-store", _look, repository, run_key, categories, run_after)
            changes = _hold_unless_committed(source, look)
            head, earlier = look.result()
            if earlier is not None:
                log.info("%s was committed for %s before; nothing to do", earlier.snapshot_id, run_key)
                require_no_damage(repository, earlier)
                return earlier
            # What is refused is refused now, before anything is read.
            require_signer(repository, head)
            if head is None and attempt.is_tried is None:
                # The store may have been copied to another server since it was created.
                is_tried = in_background("try-store", require_one_winner, repository.store)
                attempt = replace(attempt, is_tried=is_tried)
            _advise_indexes(source)
            written = _capture(replace(attempt, changes=changes), head)
            manifest = replace(written.manifest, access=access)
            if (committed := commit(repository, manifest, written.plan)) is not None:
                require_no_damage(repository, committed, written.plan.damage)
                return committed
            lost += 1
            log.info("commit conflict in %s; retrying on top of the new snapshot", repository.uri)
        except TableUnreadableError as unreadable:
            log.warning("%s; starting again: %s", source.give_way(unreadable), unreadable.reason)
        except TableReplacedError as error:
            lost += 1
            if lost == _ATTEMPTS:
                raise
            log.warning("reading from the start again, attempt %d of %d: %s", lost + 1, _ATTEMPTS, error)
    raise SnapshotConflictError(
        f"Could not commit to {repository.uri}: {_ATTEMPTS} attempts conflicted with other writers. Let one DAG run at "
        "a time write to a store (max_active_runs=1), and retry."
    )


@dataclass(frozen=True)
class _Attempt:
    """What a snapshot is taken of, and how; see :func:`write_snapshot`.

    :param changes: what the warehouse counted of changes before its tables were held.
    :param is_tried: raises where of two writers to an empty store both would win; None in one with snapshots.
    """

    source: WarehouseSource
    repository: Repository
    options: SnapshotOptions
    taken_at: datetime
    run_key: str
    anchor: Anchor | None
    open_source: OpenSource | None
    changes: Mapping[str, TableChanges] = field(default_factory=dict)
    is_tried: Future[None] | None = None


def _look(
    repository: Repository, run_key: str | None, categories: Collection[Category], run_after: datetime | None
) -> _Found:
    """Return the newest manifest of the store, and the snapshot that an earlier attempt of the run committed."""
    head = find_head(repository)
    # A run without a name has no earlier attempt.
    return head, committed_for(repository, run_key, categories, run_after, head) if run_key else None


def _hold_unless_committed(source: WarehouseSource, look: Future[_Found]) -> Mapping[str, TableChanges]:
    """Hold the tables, unless they cannot be and an earlier attempt of the run committed, so that none is needed."""
    try:
        return _hold(source)
    except ElementaryError:
        if look.result()[1] is None:
            raise
        return {}


def _hold(source: WarehouseSource) -> Mapping[str, TableChanges]:
    """Hold the tables; return what the warehouse had counted of changes to them."""
    # Counted first: a change in between is then counted by the next sync, and none is missed.
    changes = read_changes(source.warehouse)
    source.hold()
    return changes


@dataclass(frozen=True)
class _Written:
    """A snapshot whose files are written, and that is not committed yet."""

    manifest: Manifest
    plan: Plan


def _capture(attempt: _Attempt, head: Signed[ManifestDocument] | None) -> _Written:
    """Write the files of a snapshot, of a full one where the source turns out not to continue its parent."""
    plan = plan_snapshot(attempt.source, attempt.repository, attempt.options, attempt.taken_at, attempt.anchor, head)
    written = _capture_as_planned(attempt, plan)
    if isinstance(written, Plan):
        # What was written under the first plan is left for prune to remove.
        written = _capture_as_planned(attempt, written)
    assert isinstance(written, _Written)  # noqa: S101 - a full snapshot builds upon nothing that could fail it
    return written


def _capture_as_planned(attempt: _Attempt, plan: Plan) -> _Written | Plan:
    """Write the files of a snapshot as planned, or return the plan of a full one with the reason why."""
    source, repository, is_tried = attempt.source, attempt.repository, attempt.is_tried
    how = (source, repository, attempt.options, attempt.taken_at, attempt.run_key)
    try:
        prepared = prepare(*how, plan, attempt.changes, keeps_windows=True)
    except Exception:
        # What it tried the store with is removed at its end.
        wait([is_tried] if is_tried is not None else [], CLOSE_SECONDS)
        raise
    if is_tried is not None:
        # Before any row is taken.
        is_tried.result()
    if isinstance(prepared, Plan):
        return prepared
    plan, point = prepared.plan, prepared.point
    log.info("taking snapshot %s: %s", prepared.snapshot_id, plan.reason or "what is new since the one before")
    try:
        parts = split_into_parts(source, plan, point) if attempt.open_source is not None else ()
        if attempt.open_source is None or len(parts) == 1:
            captured = [capture_slices(source, repository.store, prepared, whole_tables(source))]
        else:
            captured = capture_side_by_side(source, attempt.open_source, repository.store, prepared, parts)
    except SourceHistoryTruncated as evidence:
        return new_epoch(plan, point, str(evidence))
    except ParentCorrupt as damage:
        return plan.full(f"the snapshot before cannot be read: {damage}")
    if prepared.audit is not None and plan.base is None:
        plan = _compared(prepared.audit, source, plan, point)
    prepared = replace(prepared, excluded=dict(source.excluded), plan=plan)
    joined = join(prepared, captured)
    if shrunken := shrunken_tables(parts, joined):
        raise TableReplacedError(source.warehouse.schema, shrunken)
    return _Written(describe_captured(prepared, joined, repository.store.describe(), None), plan)


def prepare(
    source: WarehouseSource,
    repository: Repository,
    options: SnapshotOptions,
    taken_at: datetime,
    run_key: str,
    plan: Plan,
    changes: Mapping[str, TableChanges],
    *,
    keeps_windows: bool,
) -> Preparation | Plan:
    """Decide keys and consistency point of a snapshot, or return the plan of a full one with the reason why.

    :param changes: what the warehouse counted of changes before its tables were held.
    :param keeps_windows: what planning reads of the windows is kept for the capture, in this process.
    """
    # The first use of each key comes before the first read: what is refused is refused early.
    plan, opened = open_keys(source, repository.keys, plan, options.policy)
    kept = _kept(source, plan, options.policy) if keeps_windows else {}
    try:
        point = find_consistency_point(source, options.commit_timeout, plan.base, kept)
        point = look_back(source, plan, point, changes, options.policy)
        checked = check_history(plan, point)
        audit = prepare_audit(source, repository, plan, options.policy, opened)
        if checked is plan and plan.base is not None and audit is not None:
            checked = compare_days(audit, source, plan, point, options.audit_days)
    except (ParentCorrupt, SnapshotCorruptError, ObjectNotFoundError) as damage:
        return plan.full(f"the snapshot before cannot be read: {damage}")
    if checked is not plan:
        return checked
    return Preparation(
        snapshot_id=new_id(taken_at),
        taken_at=taken_at,
        run_key=run_key,
        options=options,
        plan=plan,
        point=point,
        opened=opened,
        source=_describe(source),
        excluded=dict(source.excluded),
        rejected=source.rejections,
        changes=changes,
        audit=audit,
    )


def _kept(source: WarehouseSource, plan: Plan, policy: Policy) -> dict[str, list[str]]:
    """Return the columns of the tables whose windows are read once, for planning and capture."""
    if plan.base is None:
        return {}
    columns = {
        name: columns_to_read(source, TABLES[name], policy)
        for name in source.tables()
        # Rows without a time are of every window: they are counted first.
        if TABLES[name].watermark is not None
        and not plan.base.manifest.tables[name].undated_rows
        and source.table(name).watermark_type is not WatermarkType.OTHER
    }
    return {name: found for name, found in columns.items() if found}


def _compared(audit: SourceAudit, source: WarehouseSource, plan: Plan, point: ConsistencyPoint) -> Plan:
    """Return the plan of a full snapshot with what the source no longer has of the snapshot before."""
    found = read_ranges(audit, source, map(Slice, source.tables()))
    return compare_full(plan, point, audit.policy, {name: [of_table] for name, of_table in found.items()})


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


def require_no_damage(repository: Repository, committed: Manifest, damage: str | None = None) -> None:
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


def new_id(taken_at: datetime) -> str:
    """Return the id of a snapshot: when the attempt began, and a random end."""
    return f"{taken_at:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}"
