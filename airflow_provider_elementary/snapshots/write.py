"""Taking a snapshot: plan, cut, read each table once, redact and seal it part by part, commit with the manifest."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from airflow_provider_elementary import __version__
from airflow_provider_elementary.catalog import TABLES, Category
from airflow_provider_elementary.exceptions import ConfigurationError, KeyUnavailableError, SnapshotConflictError
from airflow_provider_elementary.snapshots.commit import Overtaken, commit, committed_for, intend
from airflow_provider_elementary.snapshots.cut import Cut, Tally, cut_entry, find_cut, next_window
from airflow_provider_elementary.snapshots.each import RowsRead, unheard
from airflow_provider_elementary.snapshots.keys import DataKey, Keys
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest, TableEntry, manifest_key, sha256
from airflow_provider_elementary.snapshots.plan import Plan, check_history, new_epoch, plan_snapshot
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.redaction import HeldBack, results_with_samples
from airflow_provider_elementary.snapshots.signature import Signer, read_signature, sign_object
from airflow_provider_elementary.snapshots.store import Store
from airflow_provider_elementary.snapshots.tables import HistoryWentBack, ParentDamaged, Run, seal_table, settle
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.source import WarehouseSource

log = logging.getLogger(__name__)

_TRIES = 4
# Who may open the samples may see raw values anyway, so whoever may not cannot test guesses of hashed ones either.
_HASH_CATEGORY = Category.FAILED_ROWS_SAMPLE
_APPLICATION = "airflow-provider-elementary"
_HASH_CONTEXT = {"application": _APPLICATION, "purpose": "keyed hash", "category": _HASH_CATEGORY.value}


def write_snapshot(
    source: WarehouseSource,
    store: Store,
    keys: Keys,
    *,
    policy: Policy | None = None,
    run_key: str | None = None,
    access: Mapping[str, Any] | None = None,
    signer: Signer | None = None,
    full_every_days: float = 7,
    overlap: timedelta = timedelta(hours=1),
    commit_timeout: timedelta = timedelta(hours=6),
    rows_read: RowsRead = unheard,
) -> Manifest:
    """Take a snapshot of the finished dbt runs in every catalog table that the source holds.

    It carries the files of the newest snapshot of the store and adds what is new since then, or reads everything anew:
    the manifest's ``reason`` says why. Nothing counts before the manifest is written: a crash leaves the last snapshot
    as it was, and files that no manifest names. Memory is bounded by a few row groups and the rows of the window that
    is read again, whatever the size of a table.

    :param source: the open warehouse.
    :param store: where the snapshot goes.
    :param keys: master keys of the categories that are taken.
    :param policy: what is taken; see :class:`Policy` for the default.
    :param run_key: what the snapshot is taken for; where that was committed before, the earlier snapshot is returned.
    :param access: the report of the access check, for the manifest.
    :param signer: who signs the manifest once it is committed.
    :param full_every_days: after how many days everything is read anew; 0 does so each time.
    :param overlap: rows this much older than the newest are read again, for commits that came late.
    :param commit_timeout: after how long, by the warehouse's time, rows of a run without a commit marker are taken as
        they are.
    :param rows_read: is told how many rows of which table were read; shows the progress where somebody looks.
    :return: the manifest as committed.
    :raises SnapshotConflictError: another writer came first; a retry with a new session may help.
    :raises ElementaryError: see each of its kinds; no manifest is left behind.
    """
    if full_every_days < 0 or overlap < timedelta(0) or commit_timeout < timedelta(0):
        raise ConfigurationError(
            "Expected full_every_days, overlap and commit_timeout of 0 or more, found "
            f"{full_every_days}, {overlap} and {commit_timeout}."
        )
    policy = policy or Policy()
    taken_at = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    run_key = run_key or _new_id(taken_at)
    if (earlier := committed_for(store, run_key)) is not None:
        log.info("%s was committed for %s before; nothing to do", earlier.snapshot_id, run_key)
        if signer is not None and read_signature(store, manifest_key(earlier.sequence)) is None:
            _sign(store, earlier, signer)
        return earlier
    if signer is not None:
        # A key that is refused is refused now, not when there is a snapshot without a signature.
        signer.sign(sha256(run_key.encode()))
    terms = _Terms(policy, overlap, commit_timeout, timedelta(days=full_every_days), rows_read)
    for _ in range(_TRIES):
        try:
            manifest, plan = _take(source, store, keys, terms, taken_at, run_key)
            manifest = commit(store, replace(manifest, access=access), plan)
            if signer is not None:
                _sign(store, manifest, signer)
            return manifest
        except Overtaken:
            log.info("another writer committed to %s first; planning anew upon its snapshot", store.uri)
    raise SnapshotConflictError(
        f"Expected to commit a snapshot to {store.uri}, found that other writers came first {_TRIES} times. "
        "Let one DAG run at a time write to a store (max_active_runs=1), and retry."
    )


@dataclass(frozen=True)
class _Terms:
    """What the caller asked for; see :func:`write_snapshot`."""

    policy: Policy
    overlap: timedelta
    commit_timeout: timedelta
    full_every: timedelta
    rows_read: RowsRead


@dataclass(frozen=True, repr=False)
class _OpenKeys:
    """The data key of each category, and the key of hashed columns, for as long as a snapshot is written."""

    of_categories: Mapping[Category, DataKey]
    of_hashes: DataKey | None


def _take(
    source: WarehouseSource, store: Store, keys: Keys, terms: _Terms, taken_at: datetime, run_key: str
) -> tuple[Manifest, Plan]:
    """Seal every table; where that shows that the source is not what the parent saw, grown, read everything anew."""
    snapshot_id = _new_id(taken_at)
    # The first write and the first use of each key come before the first read: what is refused is refused early.
    intend(store, run_key, snapshot_id, None)
    plan = plan_snapshot(source, store, keys, terms.policy, taken_at=taken_at, full_every=terms.full_every)
    plan, opened = _open_keys(source, keys, plan, terms.policy, snapshot_id)
    cut = find_cut(source, terms.commit_timeout, plan.window_from)
    checked = check_history(plan, cut)
    while True:
        if checked is not plan:
            # What was sealed under the first plan is left for prune to remove.
            plan, snapshot_id = checked, _new_id(taken_at)
            _, opened = _open_keys(source, keys, plan, terms.policy, snapshot_id)
        log.info("taking snapshot %s: %s", snapshot_id, plan.reason or "what is new since the one before")
        run = _start(source, store, terms, snapshot_id, plan, cut, opened)
        try:
            return _seal(run, terms, opened, taken_at, run_key), plan
        except HistoryWentBack as evidence:
            checked = new_epoch(plan, cut, str(evidence))
        except ParentDamaged as damage:
            checked = plan.full(f"the snapshot before cannot be read: {damage}")


def _open_keys(
    source: WarehouseSource, keys: Keys, plan: Plan, policy: Policy, snapshot_id: str
) -> tuple[Plan, _OpenKeys]:
    """Open the data keys that an incremental snapshot carries on, or make new ones for a full one."""
    held = {category for name in source.tables() for category in TABLES[name].categories}
    categories = [category for category in policy.categories if category in held]
    context = {"application": _APPLICATION, "snapshot": snapshot_id}
    base = plan.base
    if base is not None:
        try:
            if moved := _rotated(keys, policy, base.manifest, categories, context):
                # A manifest has one data key for each category, so a new one means new files.
                return _open_keys(source, keys, plan.full(moved), policy, snapshot_id)
            carried = {
                category: DataKey(base.data_key(category), base.manifest.keys[category.value])
                for category in categories
                if category.value in base.manifest.keys
            }
            hash_key = _carried_hash_key(keys, policy, base.manifest)
        except KeyUnavailableError as error:
            plan = plan.full(f"the keys do not open those of the snapshot before: {error}")
        else:
            new = [category for category in categories if category not in carried]
            return plan, _OpenKeys({**carried, **_new_keys(keys, new, context)}, hash_key)
    return plan, _OpenKeys(_new_keys(keys, categories, context), _hash_key(keys, plan, policy))


def _rotated(
    keys: Keys, policy: Policy, manifest: Manifest, categories: Sequence[Category], context: Mapping[str, str]
) -> str | None:
    """Return why the data keys of the snapshot before are not carried on, or None where their master keys still are."""
    moved = [
        category.label
        for category in categories
        if (wrapped := manifest.keys.get(category.value)) is not None
        and wrapped.master_key_id != keys.master_key_id(category, {**context, "category": category.value})
    ]
    if policy.hashed_columns and manifest.hash_key is not None:
        now = keys.master_key_id(_HASH_CATEGORY, _HASH_CONTEXT)
        moved += ["hashed columns"] if manifest.hash_key.master_key_id != now else []
    return f"other master keys than the snapshot before, for {', '.join(moved)}" if moved else None


def _new_keys(keys: Keys, categories: Sequence[Category], context: Mapping[str, str]) -> dict[Category, DataKey]:
    return {category: keys.new_data_key(category, {**context, "category": category.value}) for category in categories}


def _hash_key(keys: Keys, plan: Plan, policy: Policy) -> DataKey | None:
    """Return the key of hashed columns; it outlives full snapshots and its master key, so that series go on."""
    if not policy.hashed_columns:
        return None
    carried = None
    try:
        carried = _carried_hash_key(keys, policy, plan.parent) if plan.parent is not None else None
    except KeyUnavailableError as error:
        log.warning("hashed values start anew, as the key that they were hashed with does not open: %s", error)
    if carried is None:
        return keys.new_data_key(_HASH_CATEGORY, _HASH_CONTEXT)
    if carried.wrapped.master_key_id == keys.master_key_id(_HASH_CATEGORY, _HASH_CONTEXT):
        return carried
    return keys.wrap(_HASH_CATEGORY, carried.plaintext, _HASH_CONTEXT)


def _carried_hash_key(keys: Keys, policy: Policy, manifest: Manifest) -> DataKey | None:
    if not policy.hashed_columns or manifest.hash_key is None:
        return None
    return DataKey(keys.unwrap(_HASH_CATEGORY, manifest.hash_key), manifest.hash_key)


def _start(
    source: WarehouseSource, store: Store, terms: _Terms, snapshot_id: str, plan: Plan, cut: Cut, opened: _OpenKeys
) -> Run:
    reach = max(terms.overlap, terms.commit_timeout)
    since = cut.watermark - timedelta(days=terms.policy.failed_rows_days) if cut.watermark else None
    if plan.window_from is not None:
        since = plan.window_from
    sampled = results_with_samples(source, terms.policy, since - terms.commit_timeout) if since else None
    return Run(
        source=source,
        store=store,
        policy=terms.policy,
        snapshot_id=snapshot_id,
        plan=plan,
        cut=cut,
        commit_timeout=terms.commit_timeout,
        data_keys=opened.of_categories,
        hash_key=opened.of_hashes.plaintext if opened.of_hashes else None,
        sampled_results=sampled,
        held_back=HeldBack(),
        tally=Tally(cut.watermark - reach if cut.watermark else None),
        rows_read=terms.rows_read,
    )


def _seal(run: Run, terms: _Terms, opened: _OpenKeys, taken_at: datetime, run_key: str) -> Manifest:
    entries: dict[str, TableEntry] = {}
    files: list[FileEntry] = []
    for name in run.source.tables():
        entries[name], sealed_files = seal_table(run, TABLES[name])
        files += sealed_files
    earlier, plan = run.plan.earlier, run.plan
    window_from = next_window(run.cut, run.tally, terms.overlap, plan.window_from)
    return Manifest(
        snapshot_id=run.snapshot_id,
        sequence=0,
        kind="full" if plan.base is None else "incremental",
        created_at=taken_at.isoformat(),
        run_key=run_key,
        source=_describe(run.source),
        parent=None,
        tables={name: settle(run, TABLES[name], entry, window_from) for name, entry in entries.items()},
        files=tuple(files),
        keys={category.value: key.wrapped for category, key in opened.of_categories.items()},
        policy=run.policy.to_dict(),
        held_back=tuple(run.held_back.to_list()),
        access=None,
        protection=run.store.describe(),
        versions={_APPLICATION: __version__, "pyarrow": pa.__version__},
        epoch=plan.epoch,
        reason=plan.reason,
        full_at=plan.base.manifest.full_at if plan.base else taken_at.isoformat(),
        cut=cut_entry(
            run.cut,
            run.tally,
            window_from=window_from,
            overlap=terms.overlap,
            commit_timeout=terms.commit_timeout,
            earlier=earlier,
        ),
        hash_key=opened.of_hashes.wrapped if opened.of_hashes else None,
    )


def _sign(store: Store, manifest: Manifest, signer: Signer) -> None:
    sign_object(store, manifest_key(manifest.sequence), sha256(manifest.to_bytes()), signer)


def _describe(source: WarehouseSource) -> dict[str, Any]:
    versions = read_all(source, "metadata")["dbt_pkg_version"].to_pylist() if "metadata" in source.tables() else []
    warehouse = source.warehouse
    return {
        "dialect": warehouse.dialect,
        "database": warehouse.database,
        "schema": warehouse.schema,
        "elementary_version": versions[0] if versions else None,
        "namespace": source.namespace,
    }


def _new_id(taken_at: datetime) -> str:
    return f"{taken_at:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}"
