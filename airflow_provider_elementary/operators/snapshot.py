"""Operators that take, check, restore, compare and prune snapshots."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.operators.base import clear_failures, log_group, newest_anchor, run_key
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

    :param elementary_conn_id: the connection of the warehouse. (templated)
    :param schema: the Elementary schema. (templated)
    :param database: the database of the schema. (templated)
    :param categories: the categories to include, out of those that the connection allows. (templated)
    :param failed_rows_per_test: maximum sample rows per failed test (0 = none). (templated)
    :param failed_rows_days: sample rows older than this many days are excluded. (templated)
    :param failed_rows_excluded_tables: further tables whose sample rows are excluded, by full name or by the unique id
        of the dbt model, in upper or lower case. (templated)
    :param masked_columns: further ``table.column`` to mask; dbt vars are always masked. (templated)
    :param hashed_columns: further ``table.column`` whose values are replaced by a keyed hash, as in
        ``data_monitoring_metrics.dimension_value``. (templated)
    :param dropped_columns: further ``table.column`` that are not read. (templated)
    :param without_raw_values: exclude all that may be, or quote, a value of a monitored table: sample rows, database
        errors, query text, metrics of single rows; dimension values are hashed. The other arguments may exclude more.
        (templated)
    :param full_every_days: maximum days between full snapshots, which read everything; 0: each one is full. (templated)
    :param audit_days: earlier days that each sync reads again and compares, other days each time. (templated)
    :param overlap: rows at most this much older than the newest are read again, for late commits.
    :param commit_timeout: age after which the rows of an unfinished dbt run are included as they are.
    :param accept_unknown: further access checks that may stay unknown, beside those of the connection. (templated)
    :param probes: canary tables outside the schema, which must be unreadable. (templated)
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Check access, take the snapshot, and return a summary of its manifest."""
        from airflow_provider_elementary.snapshots.take import take_snapshot

        with clear_failures():
            policy = self._resolve_policy()
            anchor = newest_anchor(self, context)
            with self._open_checked(run_key(context)) as (source, access), log_group(self.log, "Table by table"):
                taken = take_snapshot(
                    source,
                    self.repository,
                    policy,
                    access=access.to_dict(),
                    anchor=anchor,
                    run_key=run_key(context),
                    overlap=self.overlap,
                    commit_timeout=self.commit_timeout,
                    open_source=self.elementary_hook.source,
                )
        return self._finish(context, taken)
