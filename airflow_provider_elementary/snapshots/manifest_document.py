"""Stores a manifest as what it adds to earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots.lists import are_earlier, list_difference
from airflow_provider_elementary.snapshots.manifest import (
    FORMAT_VERSION,
    ConsistencyEntry,
    FileEntry,
    Kind,
    Manifest,
    Parent,
    Reference,
    TableEntry,
)
from airflow_provider_elementary.storage.documents import STRICT, Codec, NaiveTime
from airflow_provider_elementary.storage.keys import WrappedKey
from airflow_provider_elementary.storage.layout import data_file
from airflow_provider_elementary.warehouses.system_catalog.changes import TableChanges


@dataclass(frozen=True)
class AddedFiles:
    """Encrypted files, a list of each fact, in one order; their names follow from the first three and ``part``.

    See :class:`~.manifest.FileEntry` for the facts.

    :param snapshot_id: None where it is that of the file before.
    :param table: None where it is that of the file before.
    """

    snapshot_id: tuple[str | None, ...] = ()
    table: tuple[str | None, ...] = ()
    category: tuple[Category, ...] = ()
    part: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    size: tuple[int, ...] = ()
    sha256: tuple[str, ...] = ()
    footer_size: tuple[int, ...] = ()
    footer_sha256: tuple[str, ...] = ()
    row_groups: tuple[tuple[str, ...], ...] = ()
    min_watermark: tuple[NaiveTime | None, ...] = ()
    max_watermark: tuple[NaiveTime | None, ...] = ()

    def __post_init__(self) -> None:
        """Refuse lists of different lengths, and a first file without a snapshot or table."""
        if len({len(getattr(self, name)) for name in _FACTS}) > 1:
            raise ValueError("the lists have different lengths")
        if None in (*self.snapshot_id[:1], *self.table[:1]):
            raise ValueError("the first file has no snapshot or table")

    @classmethod
    def of(cls, files: Sequence[FileEntry]) -> AddedFiles:
        """Return files as a manifest stores them."""
        facts: dict[str, list[Any]] = {name: [getattr(file, name) for file in files] for name in _FACTS}
        for name in _REPEATED:
            facts[name][1:] = [None if one == before else one for before, one in pairwise(facts[name])]
        columns: dict[str, Any] = {name: tuple(values) for name, values in facts.items()}
        return cls(**columns)

    def each(self) -> Iterator[dict[str, Any]]:
        """Yield the facts of each file."""
        file: dict[str, Any] = {}
        for values in zip(*(getattr(self, name) for name in _FACTS), strict=True):
            found = dict(zip(_FACTS, values, strict=True))
            file = found | {name: file[name] for name in _REPEATED if found[name] is None}
            yield file


_FACTS = tuple(found.name for found in fields(AddedFiles))
#: What most files have in common with the one before.
_REPEATED = ("snapshot_id", "table")


@dataclass(frozen=True)
class TableShape:
    """What seldom changes of a table; see :class:`~.manifest.TableEntry` for the fields."""

    unknown_columns: tuple[str, ...]
    missing_columns: tuple[str, ...]
    excluded_categories: tuple[Category, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class TableState:
    """What a snapshot says of a table; see :class:`~.manifest.TableEntry` for the fields."""

    rows: int
    new_rows: int
    waiting: int
    settled_rows: int | None
    settled_from: NaiveTime | None
    undated_rows: int | None
    fingerprint: str | None
    changes: TableChanges | None = None
    window: str | None = None


@dataclass(frozen=True)
class Generation:
    """What many snapshots have in common: columns, policy and data keys.

    :param tables: the columns of each table.
    :param columns: the columns of the files of each table and category.
    :param by_rows: the tables whose files hold different rows, not different columns.
    :param keys: the wrapped data keys, by category.
    :param hash_key: the wrapped key of hashed columns, or None.
    :param policy: the policy applied.
    :param protection: how the store protects objects at rest and on the way.
    :param access: the report of the access check of the first of the snapshots.
    """

    tables: Mapping[str, TableShape]
    columns: Mapping[str, Mapping[Category, tuple[str, ...]]]
    by_rows: tuple[str, ...]
    keys: Mapping[Category, WrappedKey]
    hash_key: WrappedKey | None
    policy: Mapping[str, Any]
    protection: Mapping[str, str]
    access: Mapping[str, Any] | None
    format_version: int = FORMAT_VERSION

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class ManifestDocument:
    """What commits a snapshot; see :class:`~.manifest.Manifest` for the fields that are not described here.

    :param generation: columns, policy and data keys.
    :param lists: the numbers of the manifests to whose lists its own adds, oldest first; none where it repeats all.
    :param added: the files that it adds to them.
    :param dropped: the names of the files of these lists that are not in its own.
    :param categories: those that it has data keys of.
    :param files: how many files are in its list.
    :param rows: rows of the source, over all tables.
    :param size: bytes of the files.
    :param access: the fields of its access report that differ from those of the generation's; None without a report.
    :param prune_record: the newest prune record when it was committed.
    :param may_merge: False where a compaction of its list has too little to merge.
    """

    snapshot_id: str
    sequence: int
    kind: Kind
    created_at: NaiveTime
    run_key: str
    parent: Parent | None
    generation: Reference
    lists: tuple[int, ...]
    added: AddedFiles
    dropped: tuple[str, ...]
    tables: Mapping[str, TableState]
    categories: tuple[Category, ...]
    files: int
    rows: int
    size: int
    source: Mapping[str, Any]
    exclusions: tuple[Mapping[str, Any], ...]
    access: Mapping[str, Any] | None
    versions: Mapping[str, str]
    epoch: int = 1
    reason: str | None = None
    full_at: NaiveTime | None = None
    consistency: ConsistencyEntry | None = None
    excluded: Mapping[str, str] = field(default_factory=dict)
    rejected: tuple[Mapping[str, Any], ...] = ()
    lost_until: int | None = None
    prune_record: Parent | None = None
    may_merge: bool = True
    format_version: int = FORMAT_VERSION

    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        """Refuse lists of manifests that are not earlier ones, oldest first."""
        if not are_earlier(self.lists, self.sequence):
            raise ValueError("the lists are not of a few earlier manifests")

    @property
    def taken_at(self) -> datetime:
        """When it was taken, with its zone."""
        return datetime.fromisoformat(self.created_at).replace(tzinfo=UTC)

    @property
    def names(self) -> int:
        """How many files it names itself, those that it drops included."""
        return len(self.added.table) + len(self.dropped)


_REMEDY = "Use another snapshot, or restore the object from a replica or an older version."
#: How a manifest is stored.
MANIFEST = Codec(ManifestDocument, "manifest", _REMEDY, FORMAT_VERSION)
#: How a generation is stored.
GENERATION = Codec(Generation, "generation of snapshots", _REMEDY, FORMAT_VERSION)

#: Fields that a manifest and its document share as they are.
_SHARED = tuple(
    {found.name for found in fields(Manifest)}
    & {found.name for found in fields(ManifestDocument)} - {"files", "tables", "access", "generation", "lists"}
)


def generation_of(manifest: Manifest) -> Generation:
    """Return the generation of a manifest, as if it were the first of it."""
    columns: dict[str, dict[Category, tuple[str, ...]]] = {}
    for file in manifest.files:
        same = columns.setdefault(file.table, {}).setdefault(file.category, file.columns)
        assert same == file.columns, file.table  # noqa: S101 - other columns are read in a full snapshot
    return Generation(
        tables={
            name: TableShape(**{one.name: getattr(entry, one.name) for one in fields(TableShape)})
            for name, entry in manifest.tables.items()
        },
        columns=columns,
        by_rows=tuple(sorted({file.table for file in manifest.files if file.by_rows})),
        keys={Category(name): key for name, key in manifest.keys.items()},
        hash_key=manifest.hash_key,
        policy=manifest.policy,
        protection=manifest.protection,
        access=manifest.access,
    )


def continues(manifest: Manifest, generation: Generation) -> bool:
    """Return whether a manifest is of a generation: all that the two say of columns, policy and keys is the same."""
    own = generation_of(manifest)
    known = all(
        generation.columns.get(table, {}).get(category) == columns
        for table, of_table in own.columns.items()
        for category, columns in of_table.items()
    )
    same = replace(own, columns=generation.columns, access=generation.access, by_rows=generation.by_rows)
    # As they are read again: a list of a policy is a tuple here.
    return (
        known
        and set(own.by_rows) <= set(generation.by_rows)
        and (GENERATION.write(same) == GENERATION.write(generation))
    )


def document_of(
    manifest: Manifest,
    generation: Generation,
    reference: Reference,
    *,
    lists: tuple[int, ...],
    before: Sequence[FileEntry],
    prune_record: Parent | None,
    may_merge: bool,
) -> ManifestDocument:
    """Return the document of a manifest.

    :param generation: what it has in common with others.
    :param reference: the name and hash of that.
    :param lists: the numbers of the manifests to whose lists it adds.
    :param before: the files of these lists.
    :param may_merge: whether a compaction has anything to merge.
    """
    added, dropped = list_difference(before, manifest.files)
    common = generation.access or {}
    return ManifestDocument(
        **{name: getattr(manifest, name) for name in _SHARED},
        generation=reference,
        lists=lists,
        added=AddedFiles.of(added),
        dropped=tuple(dropped),
        tables={
            name: TableState(**{one.name: getattr(entry, one.name) for one in fields(TableState)})
            for name, entry in manifest.tables.items()
        },
        categories=tuple(Category(name) for name in manifest.keys),
        files=len(manifest.files),
        rows=manifest.rows,
        size=manifest.size,
        access=None
        if manifest.access is None
        else {name: value for name, value in manifest.access.items() if name not in common or common[name] != value},
        prune_record=prune_record,
        may_merge=may_merge,
    )


def manifest_of(
    document: ManifestDocument, sha256: str, generation: Generation, files: Sequence[FileEntry]
) -> Manifest:
    """Return the manifest that a document stores.

    :param sha256: of the document.
    :param files: its whole list.
    """
    return Manifest(
        **{name: getattr(document, name) for name in _SHARED},
        generation=document.generation,
        lists=document.lists,
        sha256=sha256,
        tables={
            name: TableEntry(**_fields(generation.tables[name]), **_fields(state))
            for name, state in document.tables.items()
        },
        files=tuple(files),
        keys={category.value: key for category, key in generation.keys.items()},
        policy=generation.policy,
        hash_key=generation.hash_key,
        protection=generation.protection,
        access=None if document.access is None else {**(generation.access or {}), **document.access},
    )


def entries(document: ManifestDocument, generation: Generation) -> list[FileEntry]:
    """Return the files that a document adds, with their names and columns."""
    return [
        FileEntry(
            **facts,
            key=data_file(facts["snapshot_id"], facts["table"], facts["category"], facts["part"]),
            columns=generation.columns.get(facts["table"], {}).get(facts["category"], ()),
            by_rows=facts["table"] in generation.by_rows,
        )
        for facts in document.added.each()
    ]


def _fields(found: TableShape | TableState) -> dict[str, Any]:
    return {one.name: getattr(found, one.name) for one in fields(found)}
