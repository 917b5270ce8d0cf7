"""The operators that prune and maintain a store of snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    anchors_of,
    clear_failures,
    is_true,
    real_number,
    templated_number,
)
from airflow_provider_elementary.snapshots.maintenance.retention import RULES, Retention, orphan_age

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_elementary.snapshots.maintenance.prune import PruneReport

_COUNTS = tuple(f"keep_{rule}" for rule in RULES)
_RETURNED = 50


class ElementaryPruneSnapshotsOperator(ElementaryStoreOperator):
    """Removes the snapshots that no rule keeps, unreferenced files, and expired category data.

    A snapshot stays if any rule keeps it; without a rule all stay, and only unreferenced files are removed. The newest
    always stays. What was removed is recorded, and the record is signed with the signing key of the store's connection,
    so that the store still verifies. -1 keeps the newest snapshot of every hour, day, …

    What was pruned can be read for a day; then a later run deletes its files. Of each epoch the newest snapshot stays.

    Nothing is removed if the snapshot chain has a problem: files that only a lost manifest names would be removed too.
    With the Asset of the snapshots among its ``inlets``, missing newest snapshots are a problem too.

    :param keep_last: keep the N newest snapshots. (templated)
    :param keep_hourly: keep the newest snapshot of each of the last N hours that have one. (templated)
    :param keep_daily: keep the newest snapshot of each of the last N days that have one. (templated)
    :param keep_weekly: keep the newest snapshot of each of the last N ISO weeks that have one. (templated)
    :param keep_monthly: keep the newest snapshot of each of the last N months that have one. (templated)
    :param keep_yearly: keep the newest snapshot of each of the last N years that have one. (templated)
    :param category_days: by category, days after which its data is removed from the snapshots that stay. (templated)
    :param orphan_hours: minimum age of unreferenced files before deletion; protects snapshots in progress. (templated)
    :param preview: dry run: log what would be removed, remove nothing. (templated)
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        *_COUNTS,
        "category_days",
        "orphan_hours",
        "preview",
    )
    ui_color = "#efe3d3"

    def __init__(
        self,
        *,
        keep_last: int | str = 0,
        keep_hourly: int | str = 0,
        keep_daily: int | str = 0,
        keep_weekly: int | str = 0,
        keep_monthly: int | str = 0,
        keep_yearly: int | str = 0,
        category_days: Mapping[str, int] | None = None,
        orphan_hours: float | str = 48,
        preview: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.keep_last = keep_last
        self.keep_hourly = keep_hourly
        self.keep_daily = keep_daily
        self.keep_weekly = keep_weekly
        self.keep_monthly = keep_monthly
        self.keep_yearly = keep_yearly
        self.category_days = category_days
        self.orphan_hours = orphan_hours
        self.preview = preview

    def execute(self, context: Context) -> dict[str, Any]:
        """Prune, log what happens to every snapshot, and return what was removed."""
        with clear_failures():
            report = self.repository.prune(
                self._retention(),
                anchors=anchors_of(self, None, context),
                dry_run=is_true(self.preview),
                orphan_age=self._orphan_age(),
            )
        self._log_pruned(report)
        return _shortened(report.to_dict())

    def _retention(self) -> Retention:
        counts = {name: templated_number(self, name) for name in _COUNTS}
        return Retention(**counts, category_days=dict(self.category_days or {}))

    def _orphan_age(self) -> timedelta:
        return orphan_age(real_number(self, "orphan_hours"))

    def _log_pruned(self, report: PruneReport) -> None:
        removes = "would remove" if report.dry_run else "removed"
        for snapshot in report.snapshots:
            action = f"kept: {', '.join(snapshot.reasons)}" if snapshot.reasons else removes
            self.log.info("snapshot %s, number %s: %s", snapshot.snapshot_id, snapshot.sequence, action)
        counts_removed = (removes, report.files, f"{report.size:,}", report.uploads)
        self.log.info("%s %s files of %s bytes, and %s unfinished uploads", *counts_removed)
        if report.waiting:
            self.log.info(
                "%s pruned snapshots can be read for 24 hours; a later prune deletes the files", report.waiting
            )


class ElementaryMaintainStoreOperator(ElementaryPruneSnapshotsOperator):
    """Keeps the cost of a store flat: merges small files, writes missing pages of the index, and prunes.

    Put it after the tasks that read what the sync took, or into a DAG of its own. It needs the keys and no warehouse.
    Below nine new snapshots there is nothing to merge, and with every sixth it prunes. The arguments are those of
    :class:`ElementaryPruneSnapshotsOperator`: without a rule all snapshots stay. With ``preview`` nothing is merged.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Maintain the store, log what was done, and return it."""
        if is_true(self.preview):
            return super().execute(context)
        with clear_failures():
            report = self.repository.maintain(
                self._retention(),
                anchors=anchors_of(self, None, context),
                orphan_age=self._orphan_age(),
                prune_now=False,
            )
        merged = report.compaction
        self.log.info("merged %s files into %s; wrote %s pages", merged.files, merged.merged_files, report.pages)
        facts = report.to_dict()
        if report.prune is None:
            return facts
        self._log_pruned(report.prune)
        return {**facts, "prune": _shortened(facts["prune"])}


def _shortened(facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts, "snapshots": facts["snapshots"][:_RETURNED]}
