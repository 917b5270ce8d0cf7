"""Moves an incremental snapshot onto compactions that were committed first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_elementary.exceptions import SnapshotNotFoundError
from airflow_provider_elementary.snapshots.lists import list_difference
from airflow_provider_elementary.snapshots.lookup import read_manifest
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository


def rebase(repository: Repository, manifest: Manifest, parent: int, newest: int) -> Manifest | None:
    """Return an incremental snapshot with the files that compactions wrote in place of those that they merged.

    Compactions change no row, so nothing is read from the warehouse again.

    :param manifest: not committed yet.
    :param parent: the number of the snapshot that it was taken upon, or that it was moved onto before.
    :param newest: the number of the newest snapshot.
    :return: None where one of those after the parent is no compaction.
    """
    if newest < parent:
        return None
    for number in range(parent + 1, newest + 1):
        try:
            compacted = read_manifest(repository, number)
        except SnapshotNotFoundError:
            return None
        if compacted.kind != "compaction":
            return None
        before = read_manifest(repository, number - 1)
        manifest = replace(manifest, files=_merged(manifest, before.files, compacted.files))
    return manifest


def _merged(manifest: Manifest, before: Sequence[FileEntry], after: Sequence[FileEntry]) -> tuple[FileEntry, ...]:
    """Return the files of a snapshot, with merged files in place of those of which they consist."""
    added, dropped = list_difference(before, after)
    gone = set(dropped)
    # A snapshot leaves out samples that are too old: a merged file stays as long as one of its parts would.
    carried = {(file.table, file.category) for file in manifest.files if file.key in gone}
    left = [file for file in manifest.files if file.key not in gone]
    return (
        *(file for file in left if file.snapshot_id != manifest.snapshot_id),
        *(file for file in added if (file.table, file.category) in carried),
        *(file for file in left if file.snapshot_id == manifest.snapshot_id),
    )
