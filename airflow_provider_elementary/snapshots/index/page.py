"""Describes a page that lists many snapshots at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from typing import Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots.lists import are_earlier
from airflow_provider_elementary.snapshots.manifest import FORMAT_VERSION, Kind, Parent
from airflow_provider_elementary.snapshots.manifest_document import ManifestDocument
from airflow_provider_elementary.storage.documents import STRICT, Codec, NaiveTime
from airflow_provider_elementary.storage.signed_documents import Signed


@dataclass(frozen=True)
class Row:
    """What a page says of a snapshot; see :class:`~.manifest_document.ManifestDocument` for the fields.

    :param sha256: of the manifest.
    :param categories: in the order of their names.
    """

    sequence: int
    sha256: str
    snapshot_id: str
    kind: Kind
    created_at: NaiveTime
    epoch: int
    parent: Parent | None
    lists: tuple[int, ...]
    lost_until: int | None
    categories: tuple[Category, ...]
    files: int
    rows: int
    size: int

    @property
    def taken_at(self) -> datetime:
        """When it was taken, with its zone."""
        return datetime.fromisoformat(self.created_at).replace(tzinfo=UTC)

    @property
    def as_parent(self) -> Parent:
        """What the snapshot after it names as its parent."""
        return Parent(self.sequence, self.sha256)

    @classmethod
    def of(cls, found: Signed[ManifestDocument]) -> Row:
        """Return the row of a manifest."""
        document = found.document
        return cls(
            sha256=found.sha256,
            categories=tuple(sorted(document.categories)),
            **{name: getattr(document, name) for name in _FACTS if name not in ("sha256", "categories")},
        )


_FACTS = tuple(found.name for found in fields(Row))
#: No snapshot.
_NONE = Parent(0, "")


@dataclass(frozen=True)
class IndexPage:
    """The snapshots of a range of numbers, oldest first; those that were gone when it was written are not in it.

    A list of each fact, in one order; see :class:`Row`. What most rows have in common with the row before is left out.

    :param parent: None where it is the snapshot of the row before; number 0 where there is a row before, and no parent.
    :param categories: None where they are those of the row before.
    """

    sequence: tuple[int, ...]
    sha256: tuple[str, ...]
    snapshot_id: tuple[str, ...]
    kind: tuple[Kind, ...]
    created_at: tuple[NaiveTime, ...]
    epoch: tuple[int, ...]
    parent: tuple[Parent | None, ...]
    lists: tuple[tuple[int, ...], ...]
    lost_until: tuple[int | None, ...]
    categories: tuple[tuple[Category, ...] | None, ...]
    files: tuple[int, ...]
    rows: tuple[int, ...]
    size: tuple[int, ...]
    format_version: int = FORMAT_VERSION

    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        """Refuse lists of different lengths, numbers that are not in order, and lists of other manifests."""
        if len({len(getattr(self, name)) for name in _FACTS}) > 1:
            raise ValueError("the lists have different lengths")
        if not all(map(are_earlier, self.lists, self.sequence)) or sorted({*self.sequence}) != [*self.sequence]:
            raise ValueError("the numbers are not in order")

    @classmethod
    def of(cls, rows: Sequence[Row]) -> IndexPage:
        """Return the page of rows."""
        facts: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in _FACTS}
        for place, (last, row) in enumerate(pairwise(rows), 1):
            facts["parent"][place] = None if row.parent == last.as_parent else row.parent or _NONE
            if row.categories == last.categories:
                facts["categories"][place] = None
        columns: dict[str, Any] = {name: tuple(values) for name, values in facts.items()}
        return cls(**columns)

    @cached_property
    def each(self) -> tuple[Row, ...]:
        """The rows."""
        found: list[Row] = []
        for values in zip(*(getattr(self, name) for name in _FACTS), strict=True):
            facts = dict(zip(_FACTS, values, strict=True))
            last = found[-1] if found else None
            if last is not None and facts["parent"] in (None, _NONE):
                facts["parent"] = None if facts["parent"] else last.as_parent
            if facts["categories"] is None:
                facts["categories"] = last.categories if last is not None else ()
            found.append(Row(**facts))
        return tuple(found)


#: How a page is stored.
PAGE = Codec(IndexPage, "page of the index", "Remove it: the numbers are then read one by one.", FORMAT_VERSION)
