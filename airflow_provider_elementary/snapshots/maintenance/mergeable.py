"""Chooses which small files a compaction merges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.storage.file_binding import WHOLE_BYTES

#: Files are merged once there are as many new ones as this number of snapshots write.
SNAPSHOTS = 9
#: How many times the size of what is new of a day is merged again with it: a day of many snapshots is not written over
#: and over.
_TIMES_NEW = 4
#: The ``part`` of merged files.
MERGED = "merged"


@dataclass(frozen=True)
class Merge:
    """Files of one table whose rows belong into one file for each category, in the order of the list.

    :param day: of their newest rows, ISO 8601: files expire by it, so that none is kept for the rows of another day.
    """

    table: str
    day: str
    files: tuple[FileEntry, ...]

    @property
    def rows(self) -> int:
        """The rows that they hold: files of other columns beside them hold the same ones."""
        first = self.files[0].category
        return sum(file.rows for file in self.files if file.category is first)

    @property
    def new(self) -> set[str]:
        """The snapshots that wrote those that were not merged before."""
        return {file.snapshot_id for file in self.files if file.part != MERGED}

    @property
    def categories(self) -> tuple[Category, ...]:
        """Their categories, for each of which one file is written."""
        return tuple(dict.fromkeys(file.category for file in self.files))

    @property
    def requests(self) -> int:
        """How often the store is asked to read and write them."""
        return len(self.files) + len(self.categories)

    def within(self, requests: int) -> Merge | None:
        """Return the part of it that a number of requests allows; None where that is no two files of a category."""
        together = len(self.categories)
        count = requests // together - 1
        return replace(self, files=self.files[: count * together]) if count > 1 else None


def next_merges(
    files: Sequence[FileEntry], without: Collection[Category] = (), *, requests: int | None = None
) -> list[Merge]:
    """Return what one compaction merges; nothing where too few snapshots wrote small files.

    The files of a manifest have one generation, one epoch and one data key for each category. What was merged of a day
    before is merged again with what is new of it, if it is not much larger. The oldest day comes first, then what most
    snapshots wrote.

    :param files: the list of the newest snapshot, without expired files.
    :param without: categories whose key is gone: their tables stay as they are.
    :param requests: the most that reading and writing files may take.
    """
    merges = [merge for merge in _merges(files, without) if len(merge.files) > len(merge.categories) and merge.new]
    written = Counter((merge.day, snapshot) for merge in merges for snapshot in merge.new)
    # What a run left over of a snapshot does not count as much as a whole one.
    if not merges or written.total() < SNAPSHOTS * max(written.values()):
        return []
    found: list[Merge] = []
    taken: set[tuple[str, Category]] = set()
    for merge in sorted(merges, key=lambda merge: (merge.day, -len(merge.new))):
        places = {(merge.table, category) for category in merge.categories}
        # A snapshot writes one file of a table and category, unless it was captured in parts.
        if not taken.isdisjoint(places):
            continue
        # What is merged in part is read again by the next run, so other tables come first.
        part = merge if requests is None or merge.requests <= requests or found else merge.within(requests)
        if part is None or (requests is not None and part.requests > requests):
            continue
        found.append(part)
        taken |= places
        requests = requests - part.requests if requests is not None else None
    return found


def _merges(files: Sequence[FileEntry], without: Collection[Category]) -> list[Merge]:
    found: dict[tuple[str, tuple[Category, ...], str], list[FileEntry]] = {}
    for name in dict.fromkeys(file.table for file in files):
        if TABLES[name].watermark is None:
            # Replaced in place: one snapshot wrote all of it.
            continue
        of_table = [file for file in files if file.table == name]
        for _, written in groupby(of_table, key=lambda file: (file.snapshot_id, file.part)):
            parts = list(written)
            # Files of other rows stand alone; those of other columns stay together.
            for unit in [[part] for part in parts] if parts[0].by_rows else [parts]:
                if (day := _day(unit)) is not None and _may_merge(unit, without):
                    shape = tuple(sorted(file.category for file in unit))
                    found.setdefault((name, shape, day), []).extend(unit)
    # What was merged before comes first, so that all of a day ends in one file.
    return [
        Merge(name, day, tuple(sorted(_worth_merging(written), key=lambda file: file.part != MERGED)))
        for (name, _, day), written in found.items()
    ]


def _worth_merging(files: Sequence[FileEntry]) -> list[FileEntry]:
    """Return the new files of a table and day, and those of earlier merges that are not too large beside them."""
    sizes: Counter[str] = Counter()
    for file in files:
        sizes[file.snapshot_id if file.part == MERGED else ""] += file.size
    return [file for file in files if file.part != MERGED or sizes[file.snapshot_id] <= _TIMES_NEW * sizes[""]]


def _may_merge(unit: Sequence[FileEntry], without: Collection[Category]) -> bool:
    return all(file.size < WHOLE_BYTES and file.category not in without for file in unit)


def _day(unit: Sequence[FileEntry]) -> str | None:
    """Return the day of the newest row of files; None where no row has a time."""
    newest = max((file.max_watermark for file in unit if file.max_watermark is not None), default=None)
    return newest[:10] if newest is not None else None
