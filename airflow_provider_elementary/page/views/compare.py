"""Shows what differs between two snapshots: dbt project and rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_elementary.page.views.base import ListPage, NotHereError, Request, page_of

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Manifest
    from airflow_provider_elementary.snapshots.diff import RowCount

_PAGE = 50


@dataclass(frozen=True)
class Changed:
    """What differs of one object of the dbt project; not the values, which may be SQL or descriptions."""

    kind: str
    name: str
    direction: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What the template ``compare.html`` shows.

    :param rows: of each table whose number of rows differs.
    :param not_compared: tables that the page's keys do not open, or that one of the snapshots does not hold.
    """

    before: Manifest
    after: Manifest
    changes: tuple[Changed, ...]
    rows: Mapping[str, RowCount]
    not_compared: tuple[str, ...]
    pagination: ListPage


def build(request: Request) -> Comparison:
    """Return how two snapshots differ.

    :raises NotHereError: the store does not hold one of them.
    :raises ElementaryError: the page's keys open no table that describes the project.
    """
    reader = request.reader
    sequences = reader.sequences()
    numbers = request.number("before", 0), request.number("after", sequences[-1] if sequences else 0)
    if missing := [number for number in numbers if number not in sequences]:
        raise NotHereError(f"Snapshot {missing[0]} is not in {reader.uri}. See Snapshots for those that exist.")
    before, after = (reader.manifest(number) for number in numbers)
    report = reader.derived.get(
        ("compare", before.sha256, after.sha256),
        lambda: reader.opened.repository.diff(before.snapshot_id, after.snapshot_id),
    )
    changes, page = page_of(report.changes, request.number("page"), _PAGE)
    return Comparison(
        before=before,
        after=after,
        changes=tuple(Changed(each.kind, each.name, each.direction, tuple(each.fields)) for each in changes),
        rows={table: count for table, count in report.rows.items() if count.before != count.after},
        not_compared=report.not_compared,
        pagination=page,
    )
