"""Notices that snapshots were removed of which metrics are stored."""

from __future__ import annotations

from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.lookup import anchor_finding
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.storage.records.results import earlier_results


def removed_snapshots(repository: Repository, source: Source, run_key: str) -> str | None:
    """Return that a snapshot is gone of which the run before stored metrics, in a sentence, or None.

    :param source: what metrics are now computed from; a warehouse says nothing.
    :param run_key: identifies the run.
    """
    before = next(earlier_results(repository, "metrics", "", run_key), None)
    if before is None or not isinstance(source, SnapshotSource):
        return None
    number, sha256 = before.parameters.get("snapshot"), before.parameters.get("sha256")
    if not isinstance(number, int) or not isinstance(sha256, str) or number <= source.manifest.sequence:
        return None
    # A person may ask for an older snapshot, and another run may have been faster.
    if (finding := anchor_finding(repository, Anchor(number, sha256))) is None:
        return None
    return (
        f"The snapshot chain in {repository.uri} does not contain the snapshot that {before.key} is of: {finding}. "
        "Newer snapshots were removed or replaced. Find out who removed them, and run `airflow-elementary snapshot "
        "verify`."
    )
