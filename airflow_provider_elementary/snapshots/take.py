"""Takes one snapshot and summarizes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.progress import RowsRead, no_row_progress
from airflow_provider_elementary.snapshots.anchors import sign_anchor
from airflow_provider_elementary.snapshots.capture import write_snapshot
from airflow_provider_elementary.snapshots.capture.plan import SnapshotOptions
from airflow_provider_elementary.snapshots.capture.side_by_side import OpenSource
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.snapshots.parts import PartReference, commit_parts, plan_parts
from airflow_provider_elementary.snapshots.policy.choices import ResolvedPolicy
from airflow_provider_elementary.snapshots.policy.redaction import count_exported
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.snapshots.summary import problems, summary_lines
from airflow_provider_elementary.times import utc_now
from airflow_provider_elementary.warehouses.source import WarehouseSource

if TYPE_CHECKING:
    from airflow_provider_elementary.access import AccessReport


@dataclass(frozen=True)
class TakenSnapshot:
    """A snapshot that was just taken, or that an earlier attempt of the same run took.

    :param manifest: as committed.
    :param summary: small, no secrets, and the hash that anchors the chain: what XCom and Asset events carry.
    :param lines: what to log.
    """

    manifest: Manifest
    summary: dict[str, Any]
    lines: list[str]


def take_snapshot(
    source: WarehouseSource,
    repository: Repository,
    policy: ResolvedPolicy,
    *,
    access: Mapping[str, Any],
    anchor: Anchor | None = None,
    run_key: str | None = None,
    run_after: datetime | None = None,
    overlap: timedelta = timedelta(hours=1),
    commit_timeout: timedelta = timedelta(hours=6),
    rows_read: RowsRead = no_row_progress,
    open_source: OpenSource | None = None,
) -> TakenSnapshot:
    """Take a snapshot; see :func:`airflow_provider_elementary.snapshots.write_snapshot`.

    :param source: the open warehouse.
    :param repository: where the snapshot goes.
    :param policy: what is taken.
    :param access: the report of the access check, for the manifest.
    :param anchor: the newest manifest that was recorded outside the store.
    :param open_source: opens another session on the same warehouse; with it, threads read ranges of large tables.
    """
    started = utc_now()
    manifest = write_snapshot(
        source,
        repository,
        policy=policy.policy,
        run_key=run_key,
        run_after=run_after,
        access=access,
        anchor=anchor,
        full_every_days=policy.full_every_days,
        audit_days=policy.audit_days,
        overlap=overlap,
        commit_timeout=commit_timeout,
        rows_read=rows_read,
        open_source=open_source,
    )
    return _taken(repository, manifest, started)


def plan_in_parts(
    source: WarehouseSource,
    repository: Repository,
    policy: ResolvedPolicy,
    *,
    access: Mapping[str, Any],
    anchor: Anchor | None,
    run_key: str,
    run_after: datetime | None,
    overlap: timedelta,
    commit_timeout: timedelta,
    rows_per_part: int,
) -> list[PartReference]:
    """Plan a snapshot in parts; see :func:`~airflow_provider_elementary.snapshots.parts.plan_parts`."""
    options = SnapshotOptions(
        policy.policy,
        overlap,
        commit_timeout,
        timedelta(days=policy.full_every_days),
        no_row_progress,
        policy.audit_days,
    )
    return plan_parts(
        source,
        repository,
        options,
        run_key=run_key,
        run_after=run_after,
        access=access,
        anchor=anchor,
        rows_per_part=rows_per_part,
    )


def commit_in_parts(
    open_checked: Callable[[], AbstractContextManager[tuple[WarehouseSource, AccessReport]]],
    repository: Repository,
    policy: ResolvedPolicy,
    reference: PartReference,
    *,
    anchor: Anchor | None,
    run_key: str,
    run_after: datetime | None,
    attempt: str,
    overlap: timedelta,
    commit_timeout: timedelta,
) -> TakenSnapshot:
    """Commit a snapshot in parts; see :func:`~airflow_provider_elementary.snapshots.parts.commit_parts`.

    :param open_checked: opens the warehouse, with the report of its access check.
    """
    started = utc_now()

    @contextmanager
    def open_source() -> Iterator[WarehouseSource]:
        with open_checked() as (source, _):
            yield source

    def in_one_task() -> Manifest:
        with open_checked() as (source, access):
            return write_snapshot(
                source,
                repository,
                policy=policy.policy,
                run_key=run_key,
                run_after=run_after,
                access=access.to_dict(),
                anchor=anchor,
                full_every_days=policy.full_every_days,
                audit_days=policy.audit_days,
                overlap=overlap,
                commit_timeout=commit_timeout,
            )

    manifest = commit_parts(
        open_source,
        repository,
        reference,
        run_key=run_key,
        run_after=run_after,
        attempt=attempt,
        in_one_task=in_one_task,
    )
    return _taken(repository, manifest, started)


def _taken(repository: Repository, manifest: Manifest, started: datetime) -> TakenSnapshot:
    summary = {**summarise_snapshot(manifest, repository.uri), "anchor": sign_anchor(repository, manifest)}
    return TakenSnapshot(manifest, summary, summary_lines(manifest, started, utc_now()))


def summarise_snapshot(manifest: Manifest, store_uri: str) -> dict[str, Any]:
    """Return what XCom and the Asset event carry: small, no secrets, and the hash that anchors the chain."""
    rows = Counter[str]()
    for file in manifest.files:
        rows[file.category.value] += file.rows
    return {
        "store": store_uri,
        "snapshot_id": manifest.snapshot_id,
        "sequence": manifest.sequence,
        "manifest_sha256": manifest.sha256,
        "created_at": manifest.created_at,
        "kind": manifest.kind,
        "reason": manifest.reason,
        "epoch": manifest.epoch,
        "watermark": manifest.consistency.watermark if manifest.consistency else None,
        "new_rows": sum(table.new_rows for table in manifest.tables.values()),
        "waiting_runs": manifest.consistency.waiting_count if manifest.consistency else 0,
        "incomplete_runs": manifest.consistency.incomplete_count if manifest.consistency else 0,
        "problems": problems(manifest),
        "tables": {name: table.rows for name, table in manifest.tables.items()},
        "categories": {
            category: {
                "rows": rows[category],
                "bytes": sum(file.size for file in manifest.files if file.category == category),
            }
            for category in manifest.keys
        },
        "rows": manifest.rows,
        "bytes": manifest.size,
        "exported": count_exported(manifest.exclusions, rows),
    }
