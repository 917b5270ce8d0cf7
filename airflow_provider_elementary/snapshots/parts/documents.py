"""Defines the signed documents of a capture in parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots.capture.day_sums import WindowState
from airflow_provider_elementary.snapshots.manifest import FORMAT_VERSION, FileEntry, Parent, TableEntry
from airflow_provider_elementary.storage.documents import STRICT, Base64, Codec, NaiveTime
from airflow_provider_elementary.storage.keys import WrappedKey
from airflow_provider_elementary.warehouses.system_catalog.changes import TableChanges

#: A plan whose snapshot is not committed by then is not used any more. It is less than the age of an orphan.
DEADLINE = timedelta(hours=24)


@dataclass(frozen=True)
class SliceEntry:
    """A table, or the rows of it from one time until before another; see :class:`~..capture.slices.Slice`."""

    table: str
    since: NaiveTime | None = None
    until: NaiveTime | None = None
    rows_of_table: int = 0


@dataclass(frozen=True)
class FactsEntry:
    """The facts of a table; see :class:`~..capture.facts.TableFacts`."""

    newest: NaiveTime | None
    settled_rows: int | None
    settled_from: NaiveTime | None
    undated_rows: int


@dataclass(frozen=True)
class PointEntry:
    """A consistency point by value; see :class:`~..capture.consistency.ConsistencyPoint`.

    Its lists are an Arrow stream, compressed, base64; spans are microseconds.
    """

    tables: Mapping[str, FactsEntry]
    watermark: NaiveTime | None
    abandoned_until: NaiveTime | None
    committed_until: NaiveTime | None
    read_at: NaiveTime | None
    markers: Base64 | None
    results: Base64 | None
    latest: NaiveTime
    spread: int
    spread_ever: int
    marker_problem: str | None
    ended: Base64 | None
    ended_until: NaiveTime | None
    unmarked: Mapping[str, NaiveTime]
    marked_until: NaiveTime | None


@dataclass(frozen=True)
class PlannedTable:
    """What a table looked like when the parts were planned.

    :param columns: the classified columns.
    :param identity: what changes when it is replaced or emptied; None where that is not known.
    """

    columns: tuple[str, ...]
    identity: str | None


@dataclass(frozen=True)
class PlanDocument:
    """``plans/<snapshot id>``: how a snapshot is captured in parts.

    :param run_key: what the snapshot is taken for.
    :param taken_at: when the plan was made, UTC.
    :param deadline: the plan is not used after it, UTC.
    :param parent: the newest snapshot when it was made.
    :param is_full: everything is read; else the snapshot adds to its parent.
    :param reason: why it is full.
    :param is_new_epoch: rows that the parent has are gone from the source.
    :param damage: what is wrong with the chain, in words.
    :param lost_until: snapshots after the parent up to this number are lost.
    :param keys: the wrapped data keys.
    :param hash_key: the wrapped key of hashed columns.
    :param policy: the policy applied.
    :param overlap: microseconds.
    :param commit_timeout: microseconds.
    :param point: which rows are taken.
    :param source: what the manifest says of the warehouse.
    :param excluded: tables that cannot be used, with the reason.
    :param rejected: what planning could not use.
    :param access: the report of the access check before planning.
    :param tables: what the tables looked like.
    :param changes: what the warehouse had counted of changes before its tables were held.
    :param parts: what each part reads; the first one has number 0.
    :param in_one_task: why the parts read nothing and the commit takes the snapshot itself; None where they do.
    """

    snapshot_id: str
    run_key: str
    taken_at: NaiveTime
    deadline: NaiveTime
    parent: Parent | None
    is_full: bool
    reason: str | None
    is_new_epoch: bool
    damage: str | None
    lost_until: int | None
    keys: Mapping[Category, WrappedKey]
    hash_key: WrappedKey | None
    policy: Mapping[str, Any]
    overlap: int
    commit_timeout: int
    point: PointEntry
    source: Mapping[str, Any]
    excluded: Mapping[str, str]
    rejected: tuple[Mapping[str, Any], ...]
    access: Mapping[str, Any] | None
    tables: Mapping[str, PlannedTable]
    changes: Mapping[str, TableChanges]
    parts: tuple[tuple[SliceEntry, ...], ...]
    in_one_task: str | None = None
    format_version: int = FORMAT_VERSION

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class TallyEntry:
    """What a part counted; see :class:`~..capture.tally.Tally`. Lists are as in :class:`PointEntry`."""

    taken: Mapping[str, int]
    waiting: Mapping[str, int]
    undated: Mapping[str, int]
    old: Mapping[str, int]
    oldest: Mapping[str, NaiveTime]
    young: Mapping[str, Base64]
    waiting_runs: Base64
    abandoned_runs: Base64
    waiting_from: NaiveTime | None


@dataclass(frozen=True)
class DaysEntry:
    """Rows by day; see :class:`~..capture.day_sums.DaySums`. Sums are hexadecimal."""

    rows: Mapping[str, int]
    sums: Mapping[str, str]
    oldest: NaiveTime | None


@dataclass(frozen=True)
class RangeEntry:
    """What is compared with the snapshot before; see :class:`~..capture.day_sums.RangeSums`."""

    found: DaysEntry
    held: DaysEntry
    before: DaysEntry
    window: WindowState


@dataclass(frozen=True)
class PartDocument:
    """``parts/<snapshot id>/<part>-<attempt>``: what an attempt at a part wrote; its last act.

    :param run_key: what the snapshot is taken for.
    :param plan_sha256: of the plan that it follows.
    :param number: which part of the plan.
    :param tables: what the manifest says of each table.
    :param files: the files that it wrote.
    :param dropped: the names of the parent's files of these tables that the snapshot does not consist of any more.
    :param tally: the rows taken and those that wait.
    :param exclusions: what the policy excluded or redacted, by rule.
    :param rejected: values and rows that could not be used.
    :param days: of each table that is compared, its rows by day.
    """

    snapshot_id: str
    run_key: str
    plan_sha256: str
    number: int
    tables: Mapping[str, TableEntry]
    files: tuple[FileEntry, ...]
    dropped: tuple[str, ...]
    tally: TallyEntry
    exclusions: tuple[Mapping[str, Any], ...]
    rejected: tuple[Mapping[str, Any], ...]
    days: Mapping[str, RangeEntry]
    format_version: int = FORMAT_VERSION

    __pydantic_config__ = STRICT


_REMEDY = "Clear the tasks of the run, and it is planned again."
#: How a plan is stored.
PLAN = Codec(PlanDocument, "plan of a snapshot", _REMEDY, FORMAT_VERSION)
#: How the result of a part is stored.
PART = Codec(PartDocument, "part of a snapshot", _REMEDY, FORMAT_VERSION)
