"""Finds plans that are being captured, and documents that are over."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_elementary.exceptions import KeyUnavailableError, SnapshotCorruptError, StoreRefusedError
from airflow_provider_elementary.snapshots.parts.documents import PLAN
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import PARTS, PLANS, begun_at
from airflow_provider_elementary.times import in_utc

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository


def being_captured(repository: Repository, now: datetime) -> set[str]:
    """Return the ids of the snapshots whose plans are proved and not over: their files stay, whatever their age.

    :param now: with its zone.
    """
    active = set()
    for found in repository.store.list(PLANS):
        # An object that the storage does not give out is no plan of ours.
        with suppress(SnapshotCorruptError, StoreRefusedError, KeyUnavailableError):
            plan = repository.documents.read(found.key, PLAN, Role.STORE)
            if plan is not None and in_utc(datetime.fromisoformat(plan.document.deadline)) > now:
                active.add(plan.document.snapshot_id)
    return active


def outdated_documents(repository: Repository, active: set[str], oldest: datetime) -> list[str]:
    """Return the names of plans, and of what their parts report, that are over and begun before a time."""
    outdated = []
    for prefix in (PLANS, PARTS):
        for found in repository.store.list(prefix):
            snapshot_id = found.key.removeprefix(prefix).partition("/")[0]
            begun = begun_at(snapshot_id)
            if begun is not None and begun < oldest and snapshot_id not in active:
                outdated.append(found.key)
    return outdated
