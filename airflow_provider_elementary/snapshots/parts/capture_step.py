"""Captures one part of a planned snapshot."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.snapshots.parts.documents import PartDocument
from airflow_provider_elementary.snapshots.parts.plan_step import PartReference, find_plan
from airflow_provider_elementary.snapshots.parts.stored import PlanOutdated, capture_number, reopen, reported
from airflow_provider_elementary.warehouses.source import WarehouseSource

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PartSummary:
    """How a part ended.

    :param part: its number.
    :param state: ``captured``, ``captured before``, ``committed before`` or ``outdated``: then the commit captures it.
    :param reason: why it is outdated.
    """

    part: int
    state: str
    rows: int = 0
    files: int = 0
    size: int = 0
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        facts = {"part": self.part, "state": self.state, "rows": self.rows, "files": self.files, "bytes": self.size}
        return facts | ({"reason": self.reason} if self.reason else {})


def capture_part(
    open_source: Callable[[], AbstractContextManager[WarehouseSource]],
    repository: Repository,
    reference: PartReference,
    *,
    run_key: str,
    run_after: datetime | None = None,
    attempt: str,
) -> PartSummary:
    """Read and encrypt one part of a plan, unless an earlier attempt did.

    :param open_source: opens the warehouse, with its access check; only where something is read.
    :param run_key: what the snapshot is taken for.
    :param run_after: no attempt of the run began before this time.
    :param attempt: distinguishes this attempt from all others at the part.
    """
    stored = find_plan(repository, reference)
    if stored is None or stored.document.run_key != run_key:
        return _outdated(reference, "its plan is gone")
    if stored.committed(repository, run_after) is not None:
        log.info("part %d: the snapshot is committed; nothing to do", reference.part)
        return PartSummary(reference.part, "committed before")
    if stored.document.in_one_task or stored.is_over:
        return _outdated(reference, stored.document.in_one_task or "the deadline of its plan has passed")
    if (earlier := reported(repository, stored).get(reference.part)) is not None:
        log.info("part %d: an earlier attempt captured it", reference.part)
        return _summary(earlier, "captured before")
    try:
        prepared = reopen(repository, stored.document)
        with open_source() as source:
            captured = capture_number(source, repository, stored, prepared, reference.part, attempt)
    except PlanOutdated as evidence:
        return _outdated(reference, str(evidence))
    return _summary(captured, "captured")


def _outdated(reference: PartReference, reason: str) -> PartSummary:
    log.warning("part %d was not captured, the commit will take the snapshot in one task: %s", reference.part, reason)
    return PartSummary(reference.part, "outdated", reason=reason)


def _summary(document: PartDocument, state: str) -> PartSummary:
    return PartSummary(
        part=document.number,
        state=state,
        rows=sum(table.new_rows for table in document.tables.values()),
        files=len(document.files),
        size=sum(file.size for file in document.files),
    )
