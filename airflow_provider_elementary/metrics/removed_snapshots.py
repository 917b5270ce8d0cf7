"""Notices that snapshots were removed of which metrics are stored."""

from __future__ import annotations

from itertools import islice

from airflow_provider_elementary.snapshots.anchors import anchor_finding
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.results import earlier_results

#: A person may ask for an older snapshot, and another run may have been faster: of this number of earlier results the
#: one of the latest snapshot counts.
_LOOKS_BACK = 4


def removed_snapshots(repository: Repository, source: Source, run_key: str) -> str | None:
    """Return that a snapshot is gone of which a run before stored metrics, in a sentence, or None.

    :param source: what metrics are now computed from; a warehouse says nothing.
    :param run_key: identifies the run.
    """
    if not isinstance(source, SnapshotSource):
        return None
    recorded = [
        (anchor, result)
        for result in islice(earlier_results(repository, "metrics", "", run_key), _LOOKS_BACK)
        if (anchor := _anchor_of(result)) is not None
    ]
    if not recorded:
        return None
    anchor, before = max(recorded, key=lambda each: each[0].sequence)
    if (finding := anchor_finding(repository, anchor)) is None:
        return None
    return (
        f"The snapshot chain in {repository.uri} does not contain the snapshot that {before.key} is of: {finding}. "
        "Newer snapshots were removed or replaced. Find out who removed them, and run `airflow-elementary snapshot "
        "verify`."
    )


def _anchor_of(result: Result) -> Anchor | None:
    number, sha256 = result.parameters.get("snapshot"), result.parameters.get("sha256")
    return Anchor(number, sha256) if isinstance(number, int) and isinstance(sha256, str) else None
