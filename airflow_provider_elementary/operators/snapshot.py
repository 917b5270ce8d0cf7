"""Takes a snapshot in one task, and re-exports the other operators."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.operators.base import (
    clear_failures,
    log_group,
    newest_inlet_anchor,
    recording_failed_sync,
    run_after,
    run_key,
)
from airflow_provider_elementary.operators.diff import ElementaryDiffSnapshotsOperator
from airflow_provider_elementary.operators.prune import (
    ElementaryMaintainStoreOperator,
    ElementaryPruneSnapshotsOperator,
)
from airflow_provider_elementary.operators.restore import ElementaryRestoreSnapshotOperator
from airflow_provider_elementary.operators.restore_drill import ElementaryRestoreDrillOperator
from airflow_provider_elementary.operators.snapshot_base import ElementarySnapshotBaseOperator
from airflow_provider_elementary.operators.snapshot_in_parts import elementary_snapshot_group
from airflow_provider_elementary.operators.verify import ElementaryVerifySnapshotOperator

__all__ = [
    "ElementaryDiffSnapshotsOperator",
    "ElementaryMaintainStoreOperator",
    "ElementaryPruneSnapshotsOperator",
    "ElementaryRestoreDrillOperator",
    "ElementaryRestoreSnapshotOperator",
    "ElementarySnapshotOperator",
    "ElementaryVerifySnapshotOperator",
    "elementary_snapshot_group",
]


class ElementarySnapshotOperator(ElementarySnapshotBaseOperator):
    """Takes an encrypted snapshot of the Elementary schema, after checking that the connection can read nothing else.

    A snapshot holds finished dbt runs, and reads only what is new since the newest snapshot of the store; from time to
    time, and whenever the source's history, its columns or the policy changed, it reads everything again. A retry of
    the same DAG run returns the snapshot that an earlier attempt committed. Let one run at a time write to a store
    (``max_active_runs=1``).

    The policy of the store's connection defines what may leave the warehouse, else ``[elementary]`` in Airflow's
    configuration, else the defaults. The arguments from ``categories`` to ``audit_days`` are None for "as the
    connection defines"; they can only exclude more, and the task fails if one would include more. The resolved policy
    and where each part was set are logged.

    Its parameters are those of :class:`~.snapshot_base.ElementarySnapshotBaseOperator`.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Check access, take the snapshot, and return a summary of its manifest."""
        from airflow_provider_elementary.snapshots.take import take_snapshot

        with clear_failures(), recording_failed_sync(self, context, run_key(context)):
            policy = self._resolve_policy()
            anchor = newest_inlet_anchor(self, context)
            with self._open_checked(run_key(context)) as (source, access), log_group(self.log, "Table by table"):
                taken = take_snapshot(
                    source,
                    self.repository,
                    policy,
                    access=access.to_dict(),
                    anchor=anchor,
                    run_key=run_key(context),
                    run_after=run_after(context),
                    overlap=self.overlap,
                    commit_timeout=self.commit_timeout,
                    open_source=self.elementary_hook.source,
                )
        return self._finish(context, taken)
