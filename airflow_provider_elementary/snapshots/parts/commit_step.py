"""Commits the captured parts of a snapshot, and captures what is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_elementary.snapshots.capture import require_no_damage
from airflow_provider_elementary.snapshots.capture.audit import compare_full
from airflow_provider_elementary.snapshots.capture.collect import Preparation, describe_captured, join, shrunken_tables
from airflow_provider_elementary.snapshots.capture.commit import commit
from airflow_provider_elementary.snapshots.capture.day_sums import RangeSums
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.snapshots.parts.documents import PartDocument
from airflow_provider_elementary.snapshots.parts.plan_step import PartReference, StoredPlan, find_plan
from airflow_provider_elementary.snapshots.parts.stored import (
    PlanOutdated,
    capture_number,
    captured_of,
    reopen,
    reported,
)
from airflow_provider_elementary.snapshots.parts.values import read_range, read_slice
from airflow_provider_elementary.warehouses.source import WarehouseSource

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)


def commit_parts(
    open_source: Callable[[], AbstractContextManager[WarehouseSource]],
    repository: Repository,
    reference: PartReference,
    *,
    run_key: str,
    run_after: datetime | None = None,
    attempt: str,
    in_one_task: Callable[[], Manifest],
) -> Manifest:
    """Commit each part of a plan exactly once; the warehouse is only opened where a part is missing.

    :param open_source: opens the warehouse, with its access check.
    :param reference: any part of the plan.
    :param run_key: what the snapshot is taken for; where it was committed before, that snapshot is returned.
    :param run_after: no attempt of the run began before this time.
    :param attempt: distinguishes this attempt from all others.
    :param in_one_task: takes the snapshot from the beginning: where the plan is gone, over or does not fit any more,
        or another writer committed first.
    :return: the manifest as committed.
    """
    stored = find_plan(repository, reference)
    if stored is None or stored.document.run_key != run_key:
        return _from_the_beginning(in_one_task, "its plan is gone")
    if (earlier := stored.committed(repository, run_after)) is not None:
        log.info("%s was committed for %s before; nothing to do", earlier.snapshot_id, run_key)
        require_no_damage(repository, earlier)
        return earlier
    if stored.document.in_one_task or stored.is_over:
        return _from_the_beginning(in_one_task, stored.document.in_one_task or "the deadline of its plan has passed")
    try:
        prepared = reopen(repository, stored.document)
        parts = _complete(open_source, repository, stored, prepared, attempt)
    except PlanOutdated as evidence:
        return _from_the_beginning(in_one_task, str(evidence))
    captured = join(prepared, [captured_of(prepared, parts[number]) for number in sorted(parts)])
    if shrunken := shrunken_tables((map(read_slice, part) for part in stored.document.parts), captured):
        return _from_the_beginning(in_one_task, f"{', '.join(shrunken)} lost rows while the parts were read")
    if prepared.plan.base is None and prepared.plan.parent is not None:
        plan = compare_full(prepared.plan, prepared.point, prepared.options.policy, _compared_ranges(stored, parts))
        prepared = replace(prepared, plan=plan)
    manifest = describe_captured(prepared, captured, repository.store.describe(), stored.document.access)
    if (committed := commit(repository, manifest, prepared.plan)) is None:
        return _from_the_beginning(in_one_task, "another writer committed first")
    require_no_damage(repository, committed, prepared.plan.damage)
    return committed


def _complete(
    open_source: Callable[[], AbstractContextManager[WarehouseSource]],
    repository: Repository,
    stored: StoredPlan,
    prepared: Preparation,
    attempt: str,
) -> dict[int, PartDocument]:
    """Return every part, those captured here that no task captured, or whose files are gone."""
    parts = reported(repository, stored)
    missing = [number for number in range(len(stored.document.parts)) if number not in parts]
    if not missing:
        return parts
    log.warning("capturing parts %s, which are missing", ", ".join(map(str, missing)))
    with open_source() as source:
        for number in missing:
            parts[number] = capture_number(source, repository, stored, prepared, number, attempt)
    return parts


def _compared_ranges(stored: StoredPlan, parts: Mapping[int, PartDocument]) -> dict[str, list[RangeSums]]:
    """Return the ranges of each table of which all parts say what the snapshot before holds, in their order."""
    found: dict[str, list[RangeSums]] = {}
    left_out: set[str] = set()
    for number, part in enumerate(stored.document.parts):
        for one in part:
            if (entry := parts[number].days.get(one.table)) is not None:
                found.setdefault(one.table, []).append(read_range(entry))
            else:
                left_out.add(one.table)
    return {name: ranges for name, ranges in found.items() if name not in left_out}


def _from_the_beginning(in_one_task: Callable[[], Manifest], reason: str) -> Manifest:
    log.warning("taking the snapshot in one task: %s", reason)
    return in_one_task()
