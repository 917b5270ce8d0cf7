"""Chooses which small files a compaction merges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.storage.file_binding import WHOLE_BYTES

#: The fewest new snapshots that are merged.
SNAPSHOTS = 6
#: The ``part`` of merged files; until their day is over, they are not merged again.
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
    def snapshots(self) -> set[str]:
        """The snapshots that wrote them."""
        return {file.snapshot_id for file in self.files}

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
    """Return what one compaction merges of the oldest day; nothing where too few snapshots wrote small files.

    The files of a manifest have one generation, one epoch and one data key for each category.

    :param files: the list of the newest snapshot, without expired files.
    :param without: categories whose key is gone: their tables stay as they are.
    :param requests: the most that reading and writing files may take; what most snapshots wrote comes first.
    """
    newest = max((file.max_watermark for file in files if file.max_watermark is not None), default="")[:10]
    fresh = [file for file in files if file.part != MERGED or (file.max_watermark or "")[:10] < newest]
    merges = [merge for merge in _merges(fresh, without) if len(merge.snapshots) > 1]
    written = Counter((merge.day, snapshot) for merge in merges for snapshot in merge.snapshots)
    # What a run left over of a snapshot does not count as much as a whole one.
    if len(written) < SNAPSHOTS or written.total() < SNAPSHOTS * max(written.values()):
        return []
    oldest = min(merge.day for merge in merges)
    chosen: dict[tuple[str, Category], Merge] = {}
    for merge in merges:
        places = [(merge.table, file.category) for file in merge.files]
        # A snapshot writes one file of a table and category, unless it was captured in parts.
        if merge.day == oldest and not any(place in chosen for place in places):
            chosen.update(dict.fromkeys(places, merge))
    return _within(list(dict.fromkeys(chosen.values())), requests)


def _within(merges: Sequence[Merge], requests: int | None) -> list[Merge]:
    """Return the merges that a number of requests allows, the last one perhaps in part."""
    if requests is None:
        return list(merges)
    found: list[Merge] = []
    for merge in sorted(merges, key=lambda merge: len(merge.snapshots), reverse=True):
        if (part := merge.within(requests)) is not None:
            found.append(part)
            requests -= part.requests
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
                    shape = tuple(file.category for file in unit)
                    found.setdefault((name, shape, day), []).extend(unit)
    return [Merge(name, day, tuple(unit)) for (name, _, day), unit in found.items()]


def _may_merge(unit: Sequence[FileEntry], without: Collection[Category]) -> bool:
    return all(file.size < WHOLE_BYTES and file.category not in without for file in unit)


def _day(unit: Sequence[FileEntry]) -> str | None:
    """Return the day of the newest row of files; None where no row has a time."""
    newest = max((file.max_watermark for file in unit if file.max_watermark is not None), default=None)
    return newest[:10] if newest is not None else None
