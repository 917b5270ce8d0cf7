"""Keeps the cost of a store flat: compaction, index pages, prune."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.snapshots.index import write_missing_pages
from airflow_provider_elementary.snapshots.lookup import find_head, none_found
from airflow_provider_elementary.snapshots.maintenance.compaction import CompactionReport, compact
from airflow_provider_elementary.snapshots.maintenance.prune import ORPHAN_AGE, PruneReport, prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.repository import Repository

#: After how many snapshots a scheduled maintenance looks for missing pages, and prunes.
_PRUNE_EVERY = 6


@dataclass(frozen=True)
class MaintenanceReport:
    """What was done to a store.

    :param store: its URI.
    :param compaction: which files were merged.
    :param pages: how many pages of the index were missing and were written.
    :param prune: what was pruned; None where it was too early to look.
    """

    store: str
    compaction: CompactionReport
    pages: int
    prune: PruneReport | None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        compaction = asdict(self.compaction)
        return {
            "store": self.store,
            "compaction": {**compaction, "snapshots": list(compaction["snapshots"])},
            "pages": self.pages,
            "prune": self.prune.to_dict() if self.prune is not None else None,
        }


def maintain(
    repository: Repository,
    retention: Retention,
    *,
    anchors: Iterable[Anchor] = (),
    orphan_age: timedelta = ORPHAN_AGE,
    prune_now: bool = True,
) -> MaintenanceReport:
    """Merge small files, write missing pages of the index, and prune.

    :param retention: which snapshots stay; without a rule all of them, and only unreferenced files are removed.
    :param anchors: hashes of manifests that were kept elsewhere; the chain has to contain them.
    :param orphan_age: files that no snapshot names stay until they are so old.
    :param prune_now: write missing pages and prune in any case; without it, with every sixth snapshot, as a prune lists
        the whole store.
    :raises ElementaryError: as :func:`~.compaction.compact` and :func:`~.prune.prune` do; what was done before stays.
    """
    anchors = list(anchors)
    compaction = compact(repository, anchors=anchors)
    if (head := find_head(repository)) is None:
        raise none_found(repository)
    newest = head.document.sequence
    new = range(newest - len(compaction.snapshots), newest + 1)
    pages, pruned = 0, None
    if prune_now or any(number % _PRUNE_EVERY == 0 for number in new):
        pages = write_missing_pages(repository, newest)
        pruned = prune(repository, retention, anchors=anchors, orphan_age=orphan_age)
    return MaintenanceReport(repository.uri, compaction, pages, pruned)
