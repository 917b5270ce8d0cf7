"""Taking a snapshot: plan, cut, read each table once, redact and seal it part by part, commit with the manifest."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_elementary.catalog import TABLES
from airflow_provider_elementary.exceptions import ConfigurationError, SnapshotConflictError, TableReplacedError
from airflow_provider_elementary.snapshots.checkpoint import take_up, to_checkpoint
from airflow_provider_elementary.snapshots.commit import Overtaken, commit
from airflow_provider_elementary.snapshots.cut import SAMPLES, Cut, Tally, cut_entry, find_cut, next_window
from airflow_provider_elementary.snapshots.data_keys import OpenKeys, categories_of, open_keys
from airflow_provider_elementary.snapshots.each import RowsRead, unheard
from airflow_provider_elementary.snapshots.keys import Keys
from airflow_provider_elementary.snapshots.manifest import (
    FileEntry,
    Manifest,
    TableEntry,
    manifest_key,
    sha256,
    writer_versions,
)
from airflow_provider_elementary.snapshots.plan import Plan, Terms, check_history, new_epoch, plan_snapshot
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.redaction import HeldBack, results_with_samples
from airflow_provider_elementary.snapshots.signature import Signer, read_signature, sign_object
from airflow_provider_elementary.snapshots.store import Store
from airflow_provider_elementary.snapshots.tables import HistoryWentBack, ParentDamaged, Run, seal_table, settle
from airflow_provider_elementary.snapshots.tries import begin, committed_for, note_checkpoint, noted_checkpoint
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.source import WarehouseSource

log = logging.getLogger(__name__)

_TRIES = 4


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
    checkpoint_after: timedelta = timedelta(seconds=5),
    rows_read: RowsRead = unheard,
) -> Manifest:
    """Take a snapshot of the finished dbt runs in every catalog table that the source holds.

    It carries the files of the newest snapshot of the store and adds what is new since then, or reads everything anew:
    the manifest's ``reason`` says why. Nothing counts before the manifest is written: a crash leaves the last snapshot
    as it was, and files that no manifest names; a retry goes on from the tables that were finished. Memory is bounded
    by a few row groups and the rows of the window that is read again, whatever the size of a table.

    :param source: the open warehouse.
    :param store: where the snapshot goes.
    :param keys: master keys of the categories that are taken.
    :param policy: what is taken; see :class:`Policy` for the default.
    :param run_key: what the snapshot is taken for; where that was committed before, the earlier snapshot is returned,
        and where a try for it was cut short within a day, this one goes on from there.
    :param access: the report of the access check, for the manifest.
    :param signer: who signs the manifest once it is committed.
    :param full_every_days: after how many days everything is read anew; 0 does so each time.
    :param overlap: rows this much older than the newest are read again, for commits that came late.
    :param commit_timeout: after how long, by the warehouse's time, rows of a run without a commit marker are taken as
        they are.
    :param checkpoint_after: how long to work until what is finished is noted for a retry; each note is a small object.
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
    if (earlier := committed_for(store, run_key, keys, categories_of(source, policy))) is not None:
        log.info("%s was committed for %s before; nothing to do", earlier.snapshot_id, run_key)
        if signer is not None and read_signature(store, manifest_key(earlier.sequence)) is None:
            _sign(store, earlier, signer)
        return earlier
    if signer is not None:
        # A key that is refused is refused now, not when there is a snapshot without a signature.
        signer.sign(sha256(run_key.encode()))
    terms = Terms(policy, overlap, commit_timeout, timedelta(days=full_every_days), checkpoint_after, rows_read)
    for attempt in range(1, _TRIES + 1):
        try:
            manifest, plan, opened = _take(source, store, keys, terms, taken_at, run_key)
            manifest = commit(store, replace(manifest, access=access), plan, opened)
            if signer is not None:
                _sign(store, manifest, signer)
            return manifest
        except TableReplacedError as error:
            if attempt == _TRIES:
                raise
            log.warning("reading from the start again, attempt %d of %d: %s", attempt + 1, _TRIES, error)
        except Overtaken:
            log.info("another writer committed to %s first; planning anew upon its snapshot", store.uri)
    raise SnapshotConflictError(
        f"Expected to commit a snapshot to {store.uri}, found that other writers came first {_TRIES} times. "
        "Let one DAG run at a time write to a store (max_active_runs=1), and retry."
    )


def _take(
    source: WarehouseSource, store: Store, keys: Keys, terms: Terms, taken_at: datetime, run_key: str
) -> tuple[Manifest, Plan, OpenKeys]:
    """Seal every table, going on from what is held already; where the source is not that, grown, from less of it."""
    # The first write and the first use of each key come before the first read: what is refused is refused early.
    begin(store, run_key, _new_id(taken_at))
    checkpoint = noted_checkpoint(store, run_key)
    plan = plan_snapshot(source, store, keys, terms, taken_at)
    while True:
        # What was sealed under another plan is left for prune to remove.
        snapshot_id = _new_id(taken_at)
        plan, opened = open_keys(source, keys, plan, terms.policy, snapshot_id)
        if source.hold():
            plan = plan_snapshot(source, store, keys, terms, taken_at)
            continue
        cut = find_cut(source, terms.commit_timeout, plan.window_of)
        if (checked := check_history(plan, cut)) is not plan:
            plan = checked
            continue
        if (
            checkpoint is not None
            and (resumed := take_up(checkpoint, run_key, plan, terms, source, store, keys)) is not None
        ):
            plan, checkpoint = resumed, None
            continue
        log.info("taking snapshot %s: %s", snapshot_id, plan.reason or "what is new since the one before")
        writer = _Writer(_start(source, store, terms, snapshot_id, plan, cut, opened), terms, opened, taken_at, run_key)
        try:
            return writer.seal(), plan, opened
        except HistoryWentBack as evidence:
            plan = plan.anew() if plan.resumed else new_epoch(plan, cut, str(evidence))
        except ParentDamaged as damage:
            plan = plan.anew() if plan.resumed else plan.full(f"the snapshot before cannot be read: {damage}")


def _start(
    source: WarehouseSource, store: Store, terms: Terms, snapshot_id: str, plan: Plan, cut: Cut, opened: OpenKeys
) -> Run:
    since = cut.watermark - timedelta(days=terms.policy.failed_rows_days) if cut.watermark else None
    if (window_from := plan.window_of(SAMPLES)) is not None:
        since = window_from
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
        held_back=HeldBack.from_list(plan.resumed.manifest.held_back if plan.resumed else ()),
        tally=Tally(_reach(cut, terms)),
        rows_read=terms.rows_read,
    )


def _reach(cut: Cut, terms: Terms) -> datetime | None:
    """Return the earliest time at which the next snapshot's window can begin, whatever this one meets."""
    return cut.watermark - max(terms.overlap, terms.commit_timeout) if cut.watermark else None


@dataclass(frozen=True)
class _Writer:
    """Seals the tables of one run one after the other, and says in a manifest what there is so far."""

    run: Run
    terms: Terms
    opened: OpenKeys
    taken_at: datetime
    run_key: str

    def seal(self) -> Manifest:
        """Seal every table; return the manifest, which has no place in the chain yet."""
        run, plan = self.run, self.run.plan
        entries: dict[str, TableEntry] = {}
        files: list[FileEntry] = []
        noted = time.monotonic()
        # dbt replaces tables without a watermark at every run: they are read first, while nobody has replaced them yet.
        for name in sorted(run.source.tables(), key=lambda name: TABLES[name].watermark is not None):
            entries[name], sealed_files = seal_table(run, TABLES[name])
            files += sealed_files
            if time.monotonic() - noted >= self.terms.checkpoint_after.total_seconds():
                self._note(entries, files)
                noted = time.monotonic()
        return self._manifest(entries, files, next_window(run.cut, run.tally, self.terms.overlap, plan.window_from))

    def _note(self, entries: Mapping[str, TableEntry], files: Sequence[FileEntry]) -> None:
        """Note for a retry which tables are finished."""
        run, resumed = self.run, self.run.plan.resumed
        if run.cut.watermark is None or (resumed is not None and not resumed.manifest.tables.keys() <= entries.keys()):
            # Until then, what the earlier try noted says more.
            return
        # Tables that are still to come may have rows that wait, but none before this.
        window_from = max(filter(None, (_reach(run.cut, self.terms), run.plan.window_from)))
        manifest = replace(self._manifest(entries, files, window_from), parent=run.plan.parent_link)
        note_checkpoint(run.store, self.run_key, run.snapshot_id, to_checkpoint(manifest, self.opened, run.store))

    def _manifest(
        self, entries: Mapping[str, TableEntry], files: Sequence[FileEntry], window_from: datetime | None
    ) -> Manifest:
        run, plan, terms = self.run, self.run.plan, self.terms
        earlier = plan.resumed.manifest if plan.resumed else None
        return Manifest(
            snapshot_id=run.snapshot_id,
            sequence=0,
            kind=plan.kind,
            created_at=self.taken_at.isoformat(),
            run_key=self.run_key,
            source=_describe(run.source),
            parent=None,
            tables={name: settle(run, TABLES[name], entry, window_from) for name, entry in entries.items()},
            files=tuple(files),
            keys={category.value: key.wrapped for category, key in self.opened.of_categories.items()},
            policy=run.policy.to_dict(),
            held_back=tuple(run.held_back.to_list()),
            access=None,
            protection=run.store.describe(),
            versions=writer_versions(),
            epoch=plan.epoch,
            reason=plan.reason,
            full_at=plan.base.manifest.full_at if plan.base else self.taken_at.isoformat(),
            cut=cut_entry(
                run.cut,
                run.tally,
                window_from=window_from,
                overlap=terms.overlap,
                commit_timeout=terms.commit_timeout,
                earlier=plan.earlier,
            ),
            hash_key=self.opened.of_hashes.wrapped if self.opened.of_hashes else None,
            earlier_tries=(*earlier.earlier_tries, earlier.snapshot_id) if earlier else (),
        )


def _sign(store: Store, manifest: Manifest, signer: Signer) -> None:
    sign_object(store, manifest_key(manifest.sequence), sha256(manifest.to_bytes()), signer)


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
