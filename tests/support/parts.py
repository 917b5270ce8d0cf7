"""Snapshots in parts to test with, and the rows of a snapshot to compare."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from airflow_provider_elementary.progress import no_row_progress
from airflow_provider_elementary.snapshots import Manifest, Policy, Repository, SnapshotSource, write_snapshot
from airflow_provider_elementary.snapshots.capture.dedup import row_digests
from airflow_provider_elementary.snapshots.capture.plan import SnapshotOptions
from airflow_provider_elementary.snapshots.parts import PartReference, capture_part, commit_parts, plan_parts
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.source import WarehouseSource

OpenSource = Callable[[], AbstractContextManager[WarehouseSource]]
POLICY = Policy(failed_rows_days=100_000)


class Parts:
    """The three steps of one run, as its tasks take them.

    :param open_source: opens the warehouse.
    :param repository: opens the store, as each task does for itself.
    """

    def __init__(
        self,
        open_source: OpenSource,
        repository: Callable[[], Repository],
        *,
        run_key: str = "run",
        rows_per_part: int = 10,
        policy: Policy = POLICY,
        full_every_days: float = 7,
    ) -> None:
        self.open_source = open_source
        self.repository = repository
        self.run_key = run_key
        self.rows_per_part = rows_per_part
        self.policy = policy
        self.full_every_days = full_every_days
        self.in_one_task: list[str] = []
        self._attempts = itertools.count(1)

    def plan(self) -> list[PartReference]:
        """Plan the parts."""
        options = SnapshotOptions(
            self.policy, timedelta(hours=1), timedelta(hours=6), timedelta(days=self.full_every_days), no_row_progress
        )
        with self.open_source() as source:
            return plan_parts(
                source, self.repository(), options, run_key=self.run_key, rows_per_part=self.rows_per_part
            )

    def capture(self, reference: PartReference) -> str:
        """Capture a part, and return how it ended."""
        summary = capture_part(
            self.open_source, self.repository(), reference, run_key=self.run_key, attempt=self._attempt()
        )
        return summary.state

    def commit(self, reference: PartReference) -> Manifest:
        """Commit the parts."""
        return commit_parts(
            self.open_source,
            self.repository(),
            reference,
            run_key=self.run_key,
            attempt=self._attempt(),
            in_one_task=self.take_in_one_task,
        )

    def run(self) -> Manifest:
        """Take all steps."""
        planned = self.plan()
        for reference in planned:
            assert self.capture(reference) == "captured"
        return self.commit(planned[0])

    def take_in_one_task(self) -> Manifest:
        """Take the snapshot from the beginning."""
        self.in_one_task.append(self.run_key)
        with self.open_source() as source:
            return write_snapshot(
                source,
                self.repository(),
                policy=self.policy,
                run_key=self.run_key,
                full_every_days=self.full_every_days,
            )

    def _attempt(self) -> str:
        return str(next(self._attempts))


def rows_of(repository: Repository, manifest: Manifest) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of a snapshot by table, in an order that only depends on them."""
    source = repository.source(manifest)
    return {name: _sorted(read_all(source, name)) for name in source.tables()}


def differing_tables(left: SnapshotSource, right: SnapshotSource) -> list[str]:
    """Return the tables of which one of two snapshots has a row that the other has not, or has it more often.

    Rows are compared by a digest of all their values, so that millions of them fit in memory.
    """
    names = sorted({*left.tables(), *right.tables()})
    return [name for name in names if not np.array_equal(_digests(left, name), _digests(right, name))]


def _digests(source: SnapshotSource, table: str) -> Any:
    columns = source.schema(table).names
    with source.read(table) as reader:
        found = [row_digests(batch, columns) for batch in reader]
    return np.sort(np.concatenate(found)) if found else np.empty(0)


def facts_of(manifest: Manifest) -> dict[str, Any]:
    """Return what two snapshots of the same rows have in common, whatever their files and keys are."""
    return {
        "tables": {
            name: replace(entry, changes=None, window=None, fingerprint=None) for name, entry in manifest.tables.items()
        },
        "consistency": manifest.consistency,
        "exclusions": manifest.exclusions,
        "rejected": manifest.rejected,
        "excluded": manifest.excluded,
        "source": manifest.source,
        "kind": manifest.kind,
        "rows": manifest.rows,
    }


def _sorted(table: pa.Table) -> list[dict[str, Any]]:
    rows: Sequence[dict[str, Any]] = table.to_pylist()
    return sorted(rows, key=lambda row: repr(sorted(row.items(), key=lambda item: item[0])))
