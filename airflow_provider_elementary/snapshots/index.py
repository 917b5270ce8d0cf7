"""Reads and writes pages that list many snapshots at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ElementaryError,
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    StoreRefusedError,
)
from airflow_provider_elementary.snapshots.manifest import FORMAT_VERSION, Kind, Parent
from airflow_provider_elementary.snapshots.manifest_document import ManifestDocument
from airflow_provider_elementary.snapshots.numbers import LOOKS
from airflow_provider_elementary.storage.documents import STRICT, Codec, NaiveTime
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import INDEX, MANIFESTS, index_key, manifest_key, numbered
from airflow_provider_elementary.storage.parallel import in_parallel
from airflow_provider_elementary.storage.records.claim import claim
from airflow_provider_elementary.storage.signed_documents import Signed

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

A = TypeVar("A")
B = TypeVar("B")

log = logging.getLogger(__name__)

#: Snapshots a page; a page of the second width is made of pages of the first.
NARROW, WIDE = 16, 256


@dataclass(frozen=True)
class Row:
    """What a page says of a snapshot; see :class:`~.manifest_document.ManifestDocument` for the fields.

    :param sha256: of the manifest.
    """

    sequence: int
    sha256: str
    snapshot_id: str
    kind: Kind
    created_at: NaiveTime
    epoch: int
    parent: Parent | None
    base: int
    lost_until: int | None
    prune_record: Parent | None
    categories: tuple[Category, ...]
    files: int
    rows: int
    size: int

    @property
    def taken_at(self) -> datetime:
        """When it was taken, with its zone."""
        return datetime.fromisoformat(self.created_at).replace(tzinfo=UTC)

    @classmethod
    def of(cls, found: Signed[ManifestDocument]) -> Row:
        """Return the row of a manifest."""
        document = found.document
        return cls(
            sequence=document.sequence,
            sha256=found.sha256,
            snapshot_id=document.snapshot_id,
            kind=document.kind,
            created_at=document.created_at,
            epoch=document.epoch,
            parent=document.parent,
            base=document.base,
            lost_until=document.lost_until,
            prune_record=document.prune_record,
            categories=document.categories,
            files=document.files,
            rows=document.rows,
            size=document.size,
        )


@dataclass(frozen=True)
class IndexPage:
    """The snapshots of a range of numbers, oldest first; those that were gone when it was written are not in it."""

    rows: tuple[Row, ...]
    format_version: int = FORMAT_VERSION

    __pydantic_config__ = STRICT


PAGE = Codec(IndexPage, "page of the index", "Remove it: the numbers are then read one by one.", FORMAT_VERSION)


def pages_of(newest: int) -> list[tuple[int, int]]:
    """Return the widths and places of the pages that cover the numbers up to the newest, as far as pages do."""
    wide, rest = divmod(newest, WIDE)
    narrow = wide * WIDE // NARROW
    return [(WIDE, place) for place in range(wide)] + [(NARROW, narrow + place) for place in range(rest // NARROW)]


def numbers_of(width: int, place: int) -> range:
    """Return the numbers that a page covers."""
    return range(place * width + 1, (place + 1) * width + 1)


def read_page(repository: Repository, width: int, place: int) -> Sequence[Row] | None:
    """Return the rows of a page, or None where there is none that is proved."""
    name = index_key(width, place)
    if (known := repository.pages.get(name)) is not None:
        return known
    with suppress(SnapshotCorruptError, StoreRefusedError, KeyUnavailableError):
        number = numbers_of(width, place)[-1]
        if (found := repository.documents.read(name, PAGE, Role.STORE, number=number)) is not None:
            repository.pages[name] = found.document.rows
            return found.document.rows
    return None


def read_pages(repository: Repository, numbers: Iterable[int], newest: int) -> list[Sequence[Row] | None]:
    """Return the rows of the pages that cover numbers up to the newest, as far as pages do."""
    wanted = set(numbers)
    covering = [page for page in pages_of(newest) if not wanted.isdisjoint(numbers_of(*page))]
    return _side_by_side(lambda page: read_page(repository, *page), covering)


def read_index_rows(
    repository: Repository, numbers: Iterable[int], newest: int, *, each: bool = False
) -> tuple[dict[int, Row], dict[int, ElementaryError]]:
    """Return what is known of the snapshots of these numbers, and which of them cannot be read.

    :param numbers: those that were found below ``manifests/``.
    :param newest: the newest that is proved; later ones are left out.
    :param each: read every manifest, not pages.
    """
    wanted = {number for number in numbers if number <= newest}
    rows: dict[int, Row] = {}
    if not each:
        pages = read_pages(repository, wanted, newest)
        rows = {row.sequence: row for page in pages for row in page or () if row.sequence in wanted}
        if (head := rows.get(newest)) is not None and head.sha256 != repository.read_signed(newest).sha256:
            # The page is of a newest snapshot that was removed, and another one has its number now.
            width = NARROW if newest % WIDE else WIDE
            stale = numbers_of(width, (newest - 1) // width)
            rows = {number: row for number, row in rows.items() if number not in stale}
    errors: dict[int, ElementaryError] = {}

    def read(number: int) -> None:
        try:
            rows[number] = Row.of(repository.read_signed(number))
        except (SnapshotCorruptError, SnapshotNotFoundError, StoreRefusedError, KeyUnavailableError) as error:
            errors[number] = error

    _side_by_side(read, sorted(wanted - rows.keys()))
    # In the order of numbers, not of the threads: what is found is reported in it.
    return dict(sorted(rows.items())), dict(sorted(errors.items()))


def numbers_at_the_end(repository: Repository) -> list[int]:
    """Return the numbers below ``manifests/`` from the last one of the newest wide page on; anybody can put one.

    So a store of any length is opened by one listing of a few hundred names, also where that one is the newest.
    """
    if repository.listed_after is None:
        pages = list(numbered(repository.store, f"{INDEX}{WIDE}/")[0])
        repository.listed_after = manifest_key(numbers_of(WIDE, pages[-1])[-1] - 1) if pages else ""
    return list(numbered(repository.store, MANIFESTS, repository.listed_after)[0])


def newest_page(repository: Repository) -> Row | None:
    """Return the last row of the newest page that is proved: a snapshot that there was, whatever is left of it."""
    pages, others = numbered(repository.store, f"{INDEX}{NARROW}/")
    for place in sorted(pages, reverse=True)[:LOOKS]:
        if rows := read_page(repository, NARROW, place):
            return rows[-1]
    # The first page has the place 0, which is no number.
    return (read_page(repository, NARROW, 0) or (None,))[-1] if index_key(NARROW, 0) in others else None


def candidates(
    repository: Repository, there: Callable[[int, int], Sequence[int]], newest: int, moment: datetime | None
) -> Iterator[Sequence[int]]:
    """Yield numbers among which a snapshot of a time is, or all of them where no page says more; the newest first.

    :param there: returns the numbers of the snapshots from one to another, in order.
    :param moment: when it was taken; times go by the numbers.
    """
    wide = newest // WIDE
    is_older = moment is not None and _begins_after(repository, moment, (NARROW, wide * WIDE // NARROW), newest)
    if not is_older:
        yield there(wide * WIDE + 1, newest)
    low, high = _narrowed(repository, moment, wide) if moment is not None else (0, wide - 1)
    # A snapshot may be listed as later than its id says, where a clock went back: then it is in the next page.
    near = [place for place in (low, low + 1, low - 1) if 0 <= place < wide] if low >= high else []
    for place in (*near, *(place for place in range(wide - 1, -1, -1) if place not in near)):
        covered = numbers_of(WIDE, place)
        yield there(covered[0], covered[-1])
    if is_older:
        yield there(wide * WIDE + 1, newest)


def read_pages_ahead(repository: Repository, moment: datetime | None, wait: Callable[[], object]) -> None:
    """Read the pages by which :func:`candidates` finds a time, before the newest snapshot is known.

    :param moment: when it was taken; None where that is not known.
    :param wait: returns once it is known which keys count.
    """
    if moment is None:
        return
    pages, others = numbered(repository.store, f"{INDEX}{WIDE}/")
    # The first page has the place 0, which is no number.
    wide = max(pages) + 1 if pages else int(index_key(WIDE, 0) in others)
    wait()
    if wide:
        works: list[Callable[[], object]] = [
            partial(read_page, repository, NARROW, wide * WIDE // NARROW),
            lambda: read_page(repository, WIDE, _narrowed(repository, moment, wide)[0]),
        ]
        _side_by_side(lambda work: work(), works)


def _narrowed(repository: Repository, moment: datetime, wide: int) -> tuple[int, int]:
    """Return the first and the last of the wide pages among which a time is; the same one where a page says so."""
    low, high = 0, wide - 1
    if low < high:
        _side_by_side(lambda place: read_page(repository, WIDE, place), [low, high])
    while low < high:
        middle = _between(repository, moment, low, high)
        rows = read_page(repository, WIDE, middle)
        if not rows:
            break
        low, high = (middle, high) if rows[0].taken_at <= moment else (low, middle - 1)
    return low, high


def _begins_after(repository: Repository, moment: datetime, page: tuple[int, int], newest: int) -> bool:
    """Return whether a page is there whose first snapshot was taken after a time."""
    rows = read_page(repository, *page) if numbers_of(*page)[-1] <= newest else None
    return rows is not None and len(rows) > 0 and rows[0].taken_at > moment


def _between(repository: Repository, moment: datetime, low: int, high: int) -> int:
    """Return where a time is among wide pages, as if snapshots were taken regularly; above ``low``."""
    first, last = read_page(repository, WIDE, low), read_page(repository, WIDE, high)
    if not first or not last or last[0].taken_at <= first[0].taken_at:
        return (low + high + 1) // 2
    share = (moment - first[0].taken_at) / (last[0].taken_at - first[0].taken_at)
    return min(high, max(low + 1, low + int(share * (high - low))))


def write_pages(repository: Repository, number: int) -> None:
    """Write the pages that a snapshot fills, and earlier ones that are missing beside them."""
    if number % NARROW:
        return
    *earlier, own = range((number - 1) // WIDE * WIDE // NARROW, number // NARROW)
    if number % WIDE == 0:
        # The wide page is made of them, so each has to be proved.
        missing = [place for place in earlier if read_page(repository, NARROW, place) is None]
    elif earlier:
        before = index_key(NARROW, earlier[0] - 1) if earlier[0] else ""
        there = {found.key for found in repository.store.list(f"{INDEX}{NARROW}/", before)}
        missing = [place for place in earlier if index_key(NARROW, place) not in there]
    else:
        missing = []
    for place in (*missing, own):
        _write_page(repository, NARROW, place)
    if number % WIDE == 0:
        _write_page(repository, WIDE, number // WIDE - 1)


def requests_of_pages(repository: Repository, number: int) -> int:
    """Return how many requests :func:`write_pages` makes at most, where no earlier page is missing."""
    if number % NARROW:
        return 0
    unread = sum(earlier not in repository.read for earlier in range(number - NARROW + 1, number))
    # The manifests, the names of pages and the page; or in place of the names, the pages, and the wide one.
    return unread + 2 if number % WIDE else unread + 2 + WIDE // NARROW


def write_missing_pages(repository: Repository, newest: int) -> int:
    """Write the pages up to a number that are not there, and return how many."""
    there = {found.key for found in repository.store.list(INDEX)}
    wanted = [(width, place) for width in (NARROW, WIDE) for place in range(newest // width)]
    missing = [page for page in wanted if index_key(*page) not in there]
    for width, place in missing:
        _write_page(repository, width, place)
    return len(missing)


def _write_page(repository: Repository, width: int, place: int) -> None:
    numbers = numbers_of(width, place)
    known: Mapping[int, Row] = {}
    if width == WIDE:
        narrow = [read_page(repository, NARROW, numbers[0] // NARROW + part) or () for part in range(WIDE // NARROW)]
        known = {row.sequence: row for rows in narrow for row in rows}
    else:
        known, _ = read_index_rows(repository, numbers, numbers[-1], each=True)
    page = IndexPage(tuple(row for _, row in sorted(known.items())))
    if claim(repository.documents, index_key(width, place), PAGE, page, Role.STORE, number=numbers[-1]) is not None:
        log.info("wrote a page of %s snapshots up to number %s", len(page.rows), numbers[-1])


def _side_by_side(work: Callable[[A], B], items: Sequence[A]) -> list[B]:
    if len(items) < 2:
        return [work(item) for item in items]
    return list(in_parallel(work, items))
