"""The operator that prunes a store of snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    anchors_of,
    clear_failures,
    is_true,
    number,
    real_number,
)

_RETURNED = 50


class ElementaryPruneSnapshotsOperator(ElementaryStoreOperator):
    """Removes the snapshots that no rule keeps, files that no snapshot names, and data whose days are over.

    A snapshot stays if any rule keeps it; without a rule all stay, and only what crashes left is removed. The newest
    always stays. What was removed is recorded, and the record is signed with the signing key of the store's connection,
    else with the key of Metadata, so that the store still verifies. -1 keeps the newest of every hour, day, … there
    ever was.

    Nothing is removed where the chain does not hold, as files that only a lost manifest names would go. With the Asset
    of the snapshots among its ``inlets``, a chain whose newest snapshots are lost does not hold either.

    :param keep_last: this many of the newest. (templated)
    :param keep_hourly: the newest of each of the last so many hours in which there was one. (templated)
    :param keep_daily: likewise of days. (templated)
    :param keep_weekly: likewise of ISO weeks. (templated)
    :param keep_monthly: likewise of months. (templated)
    :param keep_yearly: likewise of years. (templated)
    :param category_days: for some categories, after how many days their data leaves the snapshots that stay.
        (templated)
    :param orphan_hours: files that no snapshot names stay until they are so old: a snapshot may be in the making.
        (templated)
    :param preview: only say what would be removed. (templated)
    """

    _COUNTS = ("keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly")
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
        """Prune, log every snapshot's fate, and return what was removed."""
        from datetime import timedelta

        from airflow_provider_elementary.snapshots.retention import Retention

        with clear_failures():
            counts = {name: number(self, name) for name in self._COUNTS}
            report = self.repository.prune(
                Retention(**counts, category_days=dict(self.category_days or {})),
                anchors=anchors_of(self, None, context),
                dry_run=is_true(self.preview),
                orphan_age=timedelta(hours=real_number(self, "orphan_hours")),
            )
        removes = "would remove" if report.dry_run else "removed"
        for snapshot in report.snapshots:
            fate = f"kept: {', '.join(snapshot.reasons)}" if snapshot.reasons else removes
            self.log.info("snapshot %s, number %s: %s", snapshot.snapshot_id, snapshot.sequence, fate)
        told = (removes, report.files, f"{report.size:,}", report.uploads)
        self.log.info("%s %s files of %s bytes, and %s unfinished uploads", *told)
        facts = report.to_dict()
        return {**facts, "snapshots": facts["snapshots"][:_RETURNED]}
