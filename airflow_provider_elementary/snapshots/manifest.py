"""Describes what a snapshot is and consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

from airflow_provider_elementary import __version__
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.storage.documents import STRICT, NaiveTime
from airflow_provider_elementary.storage.file_binding import FileBinding
from airflow_provider_elementary.storage.keys import WrappedKey
from airflow_provider_elementary.storage.layout import APPLICATION
from airflow_provider_elementary.warehouses.system_catalog.changes import TableChanges

FORMAT_VERSION = 2
#: What a snapshot can be.
Kind = Literal["full", "incremental", "compaction"]


@dataclass(frozen=True)
class FileEntry(FileBinding):
    """One encrypted file, bound by the hashes of its parts.

    :param key: its name in the store.
    :param snapshot_id: the snapshot that wrote it; a later snapshot may list it too.
    :param table: the table that its rows are of.
    :param category: the one category in it, which names the key that opens it.
    :param columns: its columns; unless by rows, the files of one table that one part of a snapshot wrote hold the same
        rows in the same order, each other columns.
    :param by_rows: True where the table's files hold different rows, False where they hold different columns.
    :param min_watermark: the least watermark in it, ISO 8601, or None.
    :param max_watermark: the greatest watermark in it, ISO 8601, or None.
    :param part: which part of the capture wrote it, and which attempt; empty where one session read all tables.
    """

    key: str
    snapshot_id: str
    table: str
    category: Category
    columns: tuple[str, ...]
    by_rows: bool
    min_watermark: NaiveTime | None
    max_watermark: NaiveTime | None
    part: str = ""


@dataclass(frozen=True)
class TableEntry:
    """What the source held of one table.

    :param rows: rows of the source that are taken, those that the policy excluded included.
    :param unknown_columns: columns that the catalog does not classify: quarantined, not read.
    :param missing_columns: columns of the catalog that the source does not have.
    :param excluded_categories: categories of the table that the policy left out.
    :param columns: the classified columns that the source has.
    :param new_rows: those of ``rows`` that the snapshot before did not have; all of them in a full snapshot.
    :param waiting: rows left for a later snapshot, as their run was not finished.
    :param settled_rows: those of ``rows`` that are older than the next snapshot's window, and must be there still.
    :param settled_from: the oldest watermark among them, ISO 8601, or None.
    :param undated_rows: those of ``rows`` that have no watermark, or None.
    :param fingerprint: a digest of what the files of a table that is replaced in place hold; None for other tables, and
        where rows have no hash by which a change is known.
    :param changes: what the warehouse had counted of the table's changes; None where it counts none.
    :param window: a digest of what the files hold of the other rows, those of the next snapshot's window; None where
        nobody computed it. In both digests, each file's cells count under the data key of its category.
    """

    rows: int
    unknown_columns: tuple[str, ...]
    missing_columns: tuple[str, ...]
    excluded_categories: tuple[Category, ...]
    columns: tuple[str, ...] = ()
    new_rows: int = 0
    waiting: int = 0
    settled_rows: int | None = None
    settled_from: NaiveTime | None = None
    undated_rows: int | None = None
    fingerprint: str | None = None
    changes: TableChanges | None = None
    window: str | None = None


@dataclass(frozen=True)
class ConsistencyEntry:
    """The consistency point of a snapshot; every time is the warehouse's own, ISO 8601 without a zone.

    :param watermark: the greatest watermark that the source held, or None where it held no rows.
    :param committed_until: the greatest watermark of a commit marker: rows that name no run are taken up to it.
    :param window_from: where the next snapshot reads from; everything older is in this one.
    :param read_at: the warehouse's clock when its tables were seen, where that is one moment for all of them.
    :param overlap: how many seconds before the watermark the next snapshot reads again.
    :param commit_timeout: after how many seconds rows of a run without a commit marker are taken as they are.
    :param waiting: runs without a marker of which rows wait, at most 1,000 of them named.
    :param waiting_count: how many they are.
    :param incomplete: runs without a marker of which rows were taken, at most 1,000 of them named.
    :param incomplete_count: how many they are.
    :param marker_problem: what is wrong with the commit markers and what to do, in words; None where nothing is.
    :param unmarked: runs without a marker of the last 30 days, the newest 1,000, each with its newest row.
    :param marked_until: the newest row of a run that has a marker.
    :param zones_apart: by how many seconds the time zones of all sessions that wrote a marker differ.
    """

    watermark: NaiveTime | None
    committed_until: NaiveTime | None
    window_from: NaiveTime | None
    read_at: NaiveTime | None
    overlap: float
    commit_timeout: float
    waiting: tuple[str, ...] = ()
    waiting_count: int = 0
    incomplete: tuple[str, ...] = ()
    incomplete_count: int = 0
    marker_problem: str | None = None
    unmarked: Mapping[str, NaiveTime] = field(default_factory=dict)
    marked_until: NaiveTime | None = None
    zones_apart: float = 0.0


@dataclass(frozen=True)
class Parent:
    """The snapshot before, by its place in the chain and the hash of its manifest."""

    sequence: int
    sha256: str

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Reference:
    """Another document, by its name and the hash of what it says."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a snapshot is.

    :param snapshot_id: unique; begins with the time at which it was taken.
    :param sequence: its place in the store's chain, from 1.
    :param kind: ``full``; ``incremental``: files of the snapshot before it, and those that are new since then; or
        ``compaction``: the rows of the snapshot before it, in fewer files.
    :param created_at: when it was taken, UTC, ISO 8601.
    :param run_key: what it was taken for; a second attempt for the same gets the same snapshot.
    :param source: dialect, dbt adapter, database and schema that it was read from, and the package's version.
    :param parent: the snapshot before it in the store, or None for the first.
    :param tables: what the source held, by table.
    :param files: every encrypted file that the snapshot consists of, also those that earlier snapshots wrote.
    :param keys: the wrapped data keys, by category.
    :param policy: the policy applied.
    :param exclusions: rows and values that it excluded or redacted, by rule.
    :param access: the report of the access check that came before the first read, or None if there was none.
    :param protection: how the store protects objects at rest and on the way.
    :param versions: versions of what wrote it.
    :param epoch: counts the histories of the source: a new one began wherever rows that had been taken vanished.
    :param reason: why it is full, or None for an incremental one.
    :param full_at: when the full snapshot was taken that it builds on, or it itself, UTC, ISO 8601.
    :param consistency: the consistency point of the source.
    :param hash_key: the wrapped key of hashed columns, or None if there are none; the master key of Failed rows
        sample opens it, whatever the column's category.
    :param excluded: tables that are there and cannot be used, with the reason.
    :param rejected: values and rows that could not be used: table, column, kind of value, and how many ``values`` are
        null or ``rows`` left out in place of them.
    :param lost_until: snapshots up to this number, from the one after the parent on, are lost: an anchor named them,
        and the store held them no more when this one was taken. None where nothing is.
    :param generation: where its columns, policy and data keys are stored; None before it is committed.
    :param lists: the numbers of the manifests to whose lists its own adds, oldest first; none before it is committed.
    :param sha256: of its document, by which the next snapshot and the anchors name it; empty before it is committed.
    """

    snapshot_id: str
    sequence: int
    kind: Kind
    created_at: NaiveTime
    run_key: str
    source: Mapping[str, Any]
    parent: Parent | None
    tables: Mapping[str, TableEntry]
    files: tuple[FileEntry, ...]
    keys: Mapping[str, WrappedKey]
    policy: Mapping[str, Any]
    exclusions: tuple[Mapping[str, Any], ...]
    access: Mapping[str, Any] | None
    protection: Mapping[str, str]
    versions: Mapping[str, str]
    epoch: int = 1
    reason: str | None = None
    full_at: NaiveTime | None = None
    consistency: ConsistencyEntry | None = None
    hash_key: WrappedKey | None = None
    excluded: Mapping[str, str] = field(default_factory=dict)
    rejected: tuple[Mapping[str, Any], ...] = ()
    lost_until: int | None = None
    generation: Reference | None = None
    lists: tuple[int, ...] = ()
    sha256: str = ""

    @property
    def rows(self) -> int:
        """Rows of the source that it is of, over all tables."""
        return sum(table.rows for table in self.tables.values())

    @property
    def size(self) -> int:
        """Bytes of the encrypted files."""
        return sum(file.size for file in self.files)

    @property
    def new_files(self) -> tuple[FileEntry, ...]:
        """The files that came with it; the others are those of snapshots before it."""
        return tuple(file for file in self.files if file.snapshot_id == self.snapshot_id)

    @property
    def taken_at(self) -> datetime:
        """When it was taken, with its zone."""
        return datetime.fromisoformat(self.created_at).replace(tzinfo=UTC)


def writer_versions() -> dict[str, str]:
    """Return the versions of what writes manifests and files here."""
    return {APPLICATION: __version__, "pyarrow": version("pyarrow")}
