"""Compares the dbt project and the row counts of two snapshots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_elementary.elementary_schema import TABLES, Table
from airflow_provider_elementary.elementary_schema.json_text import json_list
from airflow_provider_elementary.elementary_schema.newest import newest_rows
from airflow_provider_elementary.exceptions import KeyUnavailableError
from airflow_provider_elementary.snapshots.lookup import find_manifest
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.snapshots.prune_record import without_expired
from airflow_provider_elementary.snapshots.reader import SnapshotSource

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

Direction = Literal["appeared", "changed", "vanished"]

#: What a person calls a row of an artifact table.
_KINDS: Mapping[str, str] = {
    "dbt_models": "model",
    "dbt_tests": "test",
    "dbt_sources": "source",
    "dbt_columns": "column",
    "dbt_snapshots": "snapshot",
    "dbt_seeds": "seed",
    "dbt_exposures": "exposure",
    "dbt_metrics": "metric",
    "dbt_groups": "group",
}
#: Columns that hold a JSON list of what many objects share, by what a person calls one of them.
_SHARED: Mapping[str, tuple[str, ...]] = {"owner": ("owner", "owner_email", "model_owners"), "tag": ("tags",)}
#: Columns that differ with every run of dbt, or only because another column does.
_IGNORED = frozenset({"unique_id", "generated_at", "metadata_hash"})


@dataclass(frozen=True)
class Change:
    """One thing that differs.

    :param kind: ``model``, ``test``, ``source``, ``column``, …, ``owner`` or ``tag``.
    :param name: its unique id; of an owner or a tag, itself.
    :param direction: whether it appeared, changed or vanished between the first snapshot and the second.
    :param before: the values that changed, as they were.
    :param after: as they are.
    """

    kind: str
    name: str
    direction: Direction
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of what changed."""
        return tuple(self.after)


@dataclass(frozen=True)
class RowCount:
    """How many rows the source held of one table; None where a snapshot does not know the table."""

    before: int | None
    after: int | None


@dataclass(frozen=True)
class DiffReport:
    """What differs between two snapshots.

    :param before: the id of the first.
    :param after: the id of the second.
    :param changes: what differs, by kind and name.
    :param rows: rows of each table.
    :param not_compared: artifact tables that the keys do not open, or that one of the snapshots does not hold.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    rows: Mapping[str, RowCount]
    not_compared: tuple[str, ...]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many things of each kind appeared, changed and vanished."""
        found = Counter((change.kind, change.direction) for change in self.changes)
        kinds = sorted({kind for kind, _ in found})
        directions: tuple[Direction, ...] = ("appeared", "changed", "vanished")
        return {kind: {direction: found[kind, direction] for direction in directions} for kind in kinds}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values; it quotes metadata, owners and tags of the dbt project."""
        return {
            "before": self.before,
            "after": self.after,
            "counts": self.counts,
            "changes": [asdict(change) for change in self.changes],
            "rows": {table: asdict(count) for table, count in self.rows.items()},
            "not_compared": list(self.not_compared),
        }


def diff(repository: Repository, before: str | datetime, after: str | datetime = "latest") -> DiffReport:
    """Compare two snapshots of a store; the categories Metadata and Configuration describe the dbt project.

    :param before: the first; see :func:`~airflow_provider_elementary.snapshots.open_snapshot` for how to name it.
    :param after: the second.
    :raises SnapshotNotFoundError: there is no such snapshot.
    :raises KeyUnavailableError: the keys open no table that describes the project.
    """
    first, second = (without_expired(repository, find_manifest(repository, named))[0] for named in (before, after))
    sources = SnapshotSource(repository, first), SnapshotSource(repository, second)
    held = set(sources[0].tables()) & set(sources[1].tables())
    compared = [TABLES[name] for name in _KINDS if name in held]
    described = {file.table for manifest in (first, second) for file in manifest.files} & set(_KINDS)
    if described and not compared:
        raise KeyUnavailableError(
            "No key opens Metadata or Configuration, which describe the dbt project, in both snapshots. Give the "
            "master key of one of these categories."
        )
    changes: list[Change] = []
    shared: dict[str, tuple[set[str], set[str]]] = {kind: (set(), set()) for kind in _SHARED}
    for table in compared:
        objects = tuple(_objects(source, table) for source in sources)
        changes += _compare(_KINDS[table.name], *objects)
        for kind, found in shared.items():
            for values, rows in zip(found, objects, strict=True):
                values.update(value for row in rows.values() for value in _values_of(row, _SHARED[kind]))
    for kind, (old, new) in shared.items():
        changes += [Change(kind, value, "appeared", {}, {}) for value in sorted(new - old)]
        changes += [Change(kind, value, "vanished", {}, {}) for value in sorted(old - new)]
    return DiffReport(
        before=first.snapshot_id,
        after=second.snapshot_id,
        changes=tuple(changes),
        rows={name: RowCount(_rows(first, name), _rows(second, name)) for name in TABLES},
        not_compared=tuple(name for name in _KINDS if name not in held),
    )


def _objects(source: SnapshotSource, table: Table) -> dict[str, dict[str, Any]]:
    """Return the newest row of each key of an artifact table, by key."""
    with source.read(table.name) as reader:
        rows = (row for batch in reader for row in batch.to_pylist())
        return {row["unique_id"]: row for row in newest_rows(table.name, rows)}


def _compare(kind: str, before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        if name not in before:
            yield Change(kind, name, "appeared", {}, {})
        elif name not in after:
            yield Change(kind, name, "vanished", {}, {})
        else:
            old, new = before[name], after[name]
            # A column that only one of the snapshots holds says nothing about the object.
            fields = [field for field in new if field in old and field not in _IGNORED and old[field] != new[field]]
            if fields:
                yield Change(
                    kind,
                    name,
                    "changed",
                    {field: old[field] for field in fields},
                    {field: new[field] for field in fields},
                )


def _values_of(row: Mapping[str, Any], columns: tuple[str, ...]) -> Iterator[str]:
    """Yield the items of JSON lists; what is no list is one item."""
    for column in columns:
        yield from (str(value) for value in json_list(row.get(column)) if value)


def _rows(manifest: Manifest, table: str) -> int | None:
    return manifest.tables[table].rows if table in manifest.tables else None
