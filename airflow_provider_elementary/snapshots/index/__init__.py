"""Reads and writes pages that list many snapshots at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_elementary.exceptions import (
    ElementaryError,
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    StoreRefusedError,
)
from airflow_provider_elementary.snapshots.index.page import PAGE, IndexPage, Row
from airflow_provider_elementary.snapshots.numbers import LOOKS
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import INDEX, MANIFESTS, index_key, manifest_key, numbered
from airflow_provider_elementary.storage.parallel import in_parallel
from airflow_provider_elementary.storage.records.claim import claim

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

A = TypeVar("A")
B = TypeVar("B")

log = logging.getLogger(__name__)

#: Snapshots a page, and how many snapshots after its last one it is written: no commit writes two. A page is made of
#: four of the next width, and the narrowest are made of manifests.
LEVELS = ((1024, 5), (256, 3), (64, 2), (16, 1), (4, 0))
#: By which pages the whole chain is listed, and by which a snapshot is searched.
LISTED, SEARCHED = LEVELS[:4], LEVELS[1:4]
WIDE, NARROW = 256, 16
#: The pages that are written with their last snapshot: they say soonest what there was.
_FIRST = 4
#: What a commit asks to write a page: for what it is made of, and to put it.
_PAGE_REQUESTS = 5


def pages_of(newest: int, levels: Sequence[tuple[int, int]] = LISTED) -> list[tuple[int, int]]:
    """Return the widths and places of the pages that cover the numbers up to the newest, as far as pages do."""
    found: list[tuple[int, int]] = []
    end = 0
    for width, later in levels:
        last = max(end, (newest - later) // width * width)
        found += [(width, place) for place in range(end // width, last // width)]
        end = last
    return found


def _parts_of(width: int, place: int) -> list[tuple[int, int]]:
    """Return the pages of which a page is made; none for one that is made of manifests."""
    part = next((narrower for narrower, _ in LEVELS if narrower < width), None)
    return [(part, place * width // part + each) for each in range(width // part)] if part is not None else []


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
            repository.pages[name] = found.document.each
            return found.document.each
    return None


def read_pages(
    repository: Repository, numbers: Iterable[int], pages: Iterable[tuple[int, int]]
) -> tuple[list[Sequence[Row]], set[int]]:
    """Return the rows of the pages that cover numbers, and those of the numbers that no page covers.

    :param pages: those that are read; in place of one that is missing, those of which it is made.
    """
    left = set(numbers)
    found: list[Sequence[Row]] = []
    covering = list(pages)
    while covering := [page for page in covering if not left.isdisjoint(numbers_of(*page))]:
        missing = []
        for page, rows in zip(
            covering, _side_by_side(lambda page: read_page(repository, *page), covering), strict=True
        ):
            if rows is None:
                missing += _parts_of(*page)
            else:
                found.append(rows)
                left.difference_update(numbers_of(*page))
        covering = missing
    return found, left


def read_index_rows(
    repository: Repository, numbers: Iterable[int], newest: int, levels: Sequence[tuple[int, int]] = LISTED
) -> tuple[dict[int, Row], dict[int, ElementaryError]]:
    """Return what is known of the snapshots of these numbers, and which of them cannot be read.

    :param numbers: those that were found below ``manifests/``.
    :param newest: the newest that is proved; later ones are left out.
    :param levels: of the pages that are read; none to read every manifest.
    """
    wanted = {number for number in numbers if number <= newest}
    pages, _ = read_pages(repository, wanted, pages_of(newest, levels))
    rows = {row.sequence: row for page in pages for row in page if row.sequence in wanted}
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
        pages = _places(repository, WIDE)
        repository.listed_after = manifest_key(numbers_of(WIDE, pages[-1])[-1] - 1) if pages else ""
    return list(numbered(repository.store, MANIFESTS, repository.listed_after)[0])


def newest_row(repository: Repository, number: int) -> Row | None:
    """Return the last row of the newest page that is proved and goes beyond a number; None where none does.

    There was such a snapshot, whatever is left of it.
    """
    for place in _places(repository, _FIRST, number // _FIRST)[: -LOOKS - 1 : -1]:
        if rows := read_page(repository, _FIRST, place):
            return rows[-1]
    return None


def newest_page(repository: Repository) -> Row | None:
    """Return the last row of the newest page that is proved: a snapshot that there was, whatever is left of it."""
    for place in _places(repository, WIDE)[: -LOOKS - 1 : -1]:
        if rows := read_page(repository, WIDE, place):
            return newest_row(repository, numbers_of(WIDE, place)[-1]) or rows[-1]
    return newest_row(repository, 0)


def _places(repository: Repository, width: int, first: int = 0) -> list[int]:
    """Return the places of the pages of a width from one on, in order; anybody can put one there."""
    after = index_key(width, first - 1) if first else ""
    places, others = numbered(repository.store, f"{INDEX}{width}/", after)
    # The first page has the place 0, which is no number.
    return [0] * (index_key(width, 0) in others) + list(places)


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
    wide = max(_places(repository, WIDE), default=-1) + 1
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


def write_page(repository: Repository, number: int) -> None:
    """Write the page that is due with a snapshot, if any is."""
    if (page := _page_due(number)) is not None:
        _write_page(repository, *page)


def requests_of_page(number: int) -> int:
    """Return how many requests :func:`write_page` makes at most, where no earlier page is missing."""
    return _PAGE_REQUESTS if _page_due(number) is not None else 0


def _page_due(number: int) -> tuple[int, int] | None:
    return next(
        ((width, number // width - 1) for width, later in LEVELS if number >= width and number % width == later), None
    )


def write_missing_pages(repository: Repository, newest: int) -> int:
    """Write the pages up to a number that are not there, and return how many.

    Narrower ones than those that cover the numbers are not looked for.
    """
    written = 0
    covered = 0
    for width, later in LISTED:
        there = set(_places(repository, width, covered // width))
        last = max(covered, (newest - later) // width * width)
        for place in range(covered // width, last // width):
            if place not in there:
                _write_page(repository, width, place)
                written += 1
        covered = last
    return written


def _write_page(repository: Repository, width: int, place: int) -> None:
    numbers = numbers_of(width, place)
    pages, left = read_pages(repository, numbers, _parts_of(width, place))
    known = {row.sequence: row for page in pages for row in page}
    known |= read_index_rows(repository, left, numbers[-1], ())[0]
    after = [row for _, row in sorted(known.items())][1:]
    if (child := repository.read.get(numbers[-1] + 1)) is not None:
        after.append(Row.of(child))
    if any(row.parent != known[row.sequence - 1].as_parent for row in after if row.sequence - 1 in known):
        # A smaller page is of snapshots that were removed, and others have their numbers now.
        known = read_index_rows(repository, numbers, numbers[-1], ())[0]
    page = IndexPage.of([row for _, row in sorted(known.items())])
    if claim(repository.documents, index_key(width, place), PAGE, page, Role.STORE, number=numbers[-1]) is not None:
        log.info("wrote a page of %s snapshots up to number %s", len(known), numbers[-1])


def _side_by_side(work: Callable[[A], B], items: Sequence[A]) -> list[B]:
    if len(items) < 2:
        return [work(item) for item in items]
    return list(in_parallel(work, items))
