"""Sends figures of syncs, verifications and drills to Airflow's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context, Stats

if TYPE_CHECKING:
    from airflow_provider_elementary.operators.base import ElementaryStoreOperator
    from airflow_provider_elementary.snapshots.manifest import Manifest
    from airflow_provider_elementary.snapshots.restore_drill import DrillReport
    from airflow_provider_elementary.snapshots.verify import VerifyReport


def report_snapshot(operator: ElementaryStoreOperator, context: Context, manifest: Manifest, problems: int) -> None:
    """Send what a sync committed; a retry that finds the snapshot of an earlier attempt sends it again."""
    written = [file for file in manifest.files if file.snapshot_id == manifest.snapshot_id]
    figures: dict[str, float] = {
        "new_rows": sum(table.new_rows for table in manifest.tables.values()),
        "rows": manifest.rows,
        "written_bytes": sum(file.size for file in written),
        "bytes": manifest.size,
        "problems": problems,
    }
    point = manifest.consistency
    if point is not None and point.read_at and point.watermark:
        # Both are the warehouse's clock.
        lag = datetime.fromisoformat(point.read_at) - datetime.fromisoformat(point.watermark)
        figures["lag_seconds"] = max(lag.total_seconds(), 0.0)
    tags = _tags(operator)
    Stats.incr("elementary.snapshot.committed", tags={**tags, "kind": str(manifest.kind)})
    _gauge("elementary.snapshot", figures, tags)
    _time("elementary.snapshot", context, tags)


def report_verification(operator: ElementaryStoreOperator, context: Context, report: VerifyReport) -> None:
    """Send the verdict of a verification, before the task fails for it."""
    tags = _tags(operator)
    figures = {"sound": int(report.sound), "findings": len(report.findings), "files": report.files, "rows": report.rows}
    _gauge("elementary.verify", figures, tags)
    _time("elementary.verify", context, tags)


def report_drill(operator: ElementaryStoreOperator, context: Context, report: DrillReport) -> None:
    """Send the verdict of a restore drill, before the task fails for it."""
    tags = _tags(operator)
    figures = {"passed": int(report.passed), "differences": len(report.differences), "rows": report.rows}
    _gauge("elementary.restore_drill", figures, tags)
    _time("elementary.restore_drill", context, tags)


def _gauge(prefix: str, figures: Mapping[str, float], tags: dict[str, str]) -> None:
    for name, value in figures.items():
        Stats.gauge(f"{prefix}.{name}", value, tags=tags)


def _time(prefix: str, context: Context, tags: dict[str, str]) -> None:
    started = getattr(context["ti"], "start_date", None)
    if started is not None:
        Stats.timing(f"{prefix}.duration", datetime.now(UTC) - started, tags=tags)


def _tags(operator: Any) -> dict[str, str]:
    """Return what distinguishes the figures of several stores and DAGs, where the backend takes tags."""
    return {"store": operator.store_hook.store_conn_id, "dag_id": operator.dag_id if operator.has_dag() else ""}
