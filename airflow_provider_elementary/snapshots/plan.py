"""What a snapshot builds upon: the snapshot before it, or nothing; and why, where it is nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from airflow_provider_elementary.catalog import TABLES
from airflow_provider_elementary.exceptions import SnapshotConflictError
from airflow_provider_elementary.snapshots.cut import Cut
from airflow_provider_elementary.snapshots.each import RowsRead
from airflow_provider_elementary.snapshots.keys import Keys
from airflow_provider_elementary.snapshots.manifest import CutEntry, Manifest, Parent, TableEntry, sha256
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.pruned import without_withdrawn
from airflow_provider_elementary.snapshots.read import SnapshotSource, committed_sequences, read_manifest
from airflow_provider_elementary.snapshots.store import Store
from airflow_provider_elementary.warehouses.source import WarehouseSource

_PLACE = ("dialect", "database", "schema")
#: Rows of the window are held as digests, about 150 bytes each.
_WINDOW_ROWS = 1_000_000


@dataclass(frozen=True)
class Terms:
    """What the caller of a snapshot asked for; see :func:`~airflow_provider_elementary.snapshots.write_snapshot`."""

    policy: Policy
    overlap: timedelta
    commit_timeout: timedelta
    full_every: timedelta
    checkpoint_after: timedelta
    rows_read: RowsRead


@dataclass(frozen=True)
class Plan:
    """What a snapshot is taken of, and what it builds upon.

    :param parent: the newest snapshot of the store, or None for the first.
    :param base: the parent, opened, whose files an incremental snapshot carries; None for a full one.
    :param reason: why it is full, or None for an incremental one.
    :param is_new_epoch: rows that the parent has are gone from the source.
    :param resumed: the tables that an earlier try of the same run finished, opened; each goes on from there.
    """

    parent: Manifest | None
    base: SnapshotSource | None
    reason: str | None
    is_new_epoch: bool = False
    resumed: SnapshotSource | None = None

    @property
    def kind(self) -> str:
        """What the manifest calls it."""
        return "full" if self.base is None else "incremental"

    @property
    def parent_link(self) -> Parent | None:
        """The parent as a manifest names it."""
        return Parent(self.parent.sequence, sha256(self.parent.to_bytes())) if self.parent else None

    @property
    def earlier(self) -> CutEntry | None:
        """The newest cut that anything goes on from."""
        newest = self.resumed or self.base
        return newest.manifest.cut if newest else None

    @property
    def window_from(self) -> datetime | None:
        """Where the last of the windows begins that are read again; None to read everything."""
        return _moment(self.earlier.window_from) if self.earlier else None

    @property
    def epoch(self) -> int:
        """Which of the source's histories the snapshot is of."""
        return (self.parent.epoch if self.parent else 1) + self.is_new_epoch

    def is_resumed(self, table: str) -> bool:
        """Tell whether an earlier try finished a table."""
        return self.resumed is not None and table in self.resumed.manifest.tables

    def base_of(self, table: str) -> SnapshotSource | None:
        """Return what a table goes on from; None to read it from its beginning."""
        return self.resumed if self.is_resumed(table) else self.base

    def window_of(self, table: str) -> datetime | None:
        """Return where the window begins that is read again of a table; None to read all of it."""
        base = self.base_of(table)
        return _moment(base.manifest.cut.window_from) if base and base.manifest.cut else None

    def full(self, reason: str, *, is_new_epoch: bool = False) -> Plan:
        """Return the plan to read everything anew instead."""
        return replace(self, base=None, reason=reason, is_new_epoch=is_new_epoch, resumed=None)

    def anew(self) -> Plan:
        """Return the plan to do without what an earlier try finished."""
        return replace(self, resumed=None)


def plan_snapshot(source: WarehouseSource, store: Store, keys: Keys, terms: Terms, taken_at: datetime) -> Plan:
    """Plan from what the newest manifest says, before any row is read.

    :param taken_at: the client's time, UTC without a zone.
    """
    sequences = committed_sequences(store)
    if not sequences:
        return Plan(None, None, "the first snapshot of this store")
    parent = read_manifest(store, sequences[-1])
    plan = Plan(parent, None, None)
    if (reason := _reason_to_start_anew(parent, source, terms, taken_at)) is not None:
        return plan.full(reason)
    left, _ = without_withdrawn(store, parent)
    return replace(plan, base=SnapshotSource(store, left, keys))


def check_history(plan: Plan, cut: Cut) -> Plan:
    """Return the plan, or one that relies on less where the source is not what the parent or an earlier try saw, grown.

    :raises SnapshotConflictError: the parent saw the source later than this session does.
    """
    watermark = _moment(plan.earlier.watermark) if plan.earlier else None
    if watermark is not None and watermark > cut.latest:
        return plan.full(f"the snapshot before ends at {watermark}, ahead of the warehouse's clock")
    for name, facts in cut.tables.items():
        base = plan.base_of(name)
        entry, before = (base.manifest.tables[name], base.manifest.cut) if base else (None, None)
        if entry is None or before is None or entry.settled_rows is None:
            continue
        if (facts.settled_rows, facts.settled_from) == (entry.settled_rows, _moment(entry.settled_from)):
            continue
        if plan.is_resumed(name):
            return plan.anew()
        if facts.settled_rows > entry.settled_rows:
            late = facts.settled_rows - entry.settled_rows
            return plan.full(f"{name}: {late} rows were committed later than the overlap of {before.overlap:.0f} s")
        found = f"{name}: {entry.settled_rows} rows before {before.window_from}, found {facts.settled_rows}"
        return new_epoch(plan, cut, f"{found}, from {facts.settled_from} on where it was {entry.settled_from}")
    if watermark is not None and (cut.watermark is None or cut.watermark < watermark):
        evidence = f"the newest row is of {cut.watermark} where it was of {watermark}"
        return plan.anew() if plan.resumed else new_epoch(plan, cut, evidence)
    return plan


def new_epoch(plan: Plan, cut: Cut, evidence: str) -> Plan:
    """Return the plan to read everything anew, as rows that the parent has are gone from the source.

    :param evidence: what was expected and found.
    :raises SnapshotConflictError: they are not gone: this session sees the source as it was before the parent's.
    """
    seen_then = _moment(plan.earlier.read_at) if plan.earlier else None
    if plan.parent is not None and seen_then is not None and cut.read_at is not None and cut.read_at <= seen_then:
        raise SnapshotConflictError(
            f"Expected to see the source after snapshot {plan.parent.snapshot_id} did (at {seen_then}), found that "
            f"this session sees it as of {cut.read_at}: another writer came first. Retry with a new session, and let "
            "one DAG run at a time write to a store (max_active_runs=1)."
        )
    return plan.full(f"history went back: {evidence}", is_new_epoch=True)


def _reason_to_start_anew(parent: Manifest, source: WarehouseSource, terms: Terms, taken_at: datetime) -> str | None:
    if parent.cut is None or parent.cut.window_from is None or parent.full_at is None:
        return "the snapshot before says nothing to go on from"
    if parent.policy != terms.policy.to_dict():
        return "the policy changed"
    if not is_same_place(parent, source):
        return "the source is another one"
    if (changed := changed_columns(parent, source)) is not None:
        return changed
    if taken_at - datetime.fromisoformat(parent.full_at) >= terms.full_every:
        return f"the last full snapshot is of {parent.full_at}"
    if any(map(exceeds_window, parent.tables.values())):
        return f"more than {_WINDOW_ROWS:,} rows would have to be told from new ones"
    return None


def changed_columns(parent: Manifest, source: WarehouseSource, tables: Iterable[str] = TABLES) -> str | None:
    """Return which of these tables has other columns than a manifest says, in words, or None."""
    for name in tables:
        then = parent.tables[name].columns if name in parent.tables else ()
        now = tuple(source.held(name).columns) if name in source.tables() else ()
        if then != now:
            new, gone = ", ".join(sorted({*now} - {*then})), ", ".join(sorted({*then} - {*now}))
            return f"{name} has other columns: new {new or 'none'}, gone {gone or 'none'}"
    return None


def is_same_place(manifest: Manifest, source: WarehouseSource) -> bool:
    """Tell whether a manifest is of this source."""
    warehouse = source.warehouse
    place = dict(zip(_PLACE, (warehouse.dialect, warehouse.database, warehouse.schema), strict=True))
    return place == {name: manifest.source.get(name) for name in _PLACE}


def exceeds_window(entry: TableEntry) -> bool:
    """Tell whether a table has more rows in the window that is read again than there is memory to recognise them."""
    return entry.settled_rows is not None and entry.rows - entry.settled_rows > _WINDOW_ROWS


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
