"""Long chains are listed, searched and pruned by few requests, whatever happened to the pages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, timedelta
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import SnapshotNotFoundError
from airflow_provider_elementary.snapshots import find_manifest
from airflow_provider_elementary.snapshots.chain import Damage, check_chain, read_chain
from airflow_provider_elementary.snapshots.index import (
    LEVELS,
    _page_due,
    numbers_of,
    pages_of,
    read_page,
    write_missing_pages,
)
from airflow_provider_elementary.snapshots.index.page import PAGE
from airflow_provider_elementary.snapshots.lookup import committed_sequences, find_head, newest_sequences
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.storage.layout import INDEX, MANIFESTS, index_key, manifest_key, manifest_number
from tests.support import counting_store
from tests.support.counting_store import BEGAN, CountingStore, SyntheticChain
from tests.support.sequential_steps import steps_of
from tests.support.signing import opened

#: One page of 256, three of 16, and eight snapshots that none of these lists.
LENGTH = 312


@pytest.fixture(scope="module")
def grown() -> SyntheticChain:
    """Of few files: the pages hold none, and each manifest holds all of those before it."""
    chain = SyntheticChain(CountingStore())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting_store, "FILES", counting_store.FILES[:2])
        chain.grow(LENGTH)
    return chain


@pytest.fixture
def chain(grown: SyntheticChain) -> SyntheticChain:
    """A copy to spoil."""
    return SyntheticChain(CountingStore(grown.store.objects), grown.newest, grown.syncs)


@pytest.mark.parametrize(
    ("newest", "pages"),
    [
        (0, []),
        (16, []),
        (17, [(16, 0)]),
        (33, [(16, 0), (16, 1)]),
        (258, [(64, 0), (64, 1), (64, 2), (64, 3)]),
        (259, [(256, 0)]),
        (290, [(256, 0), (16, 16), (16, 17)]),
        (1028, [(256, 0), (256, 1), (256, 2), (256, 3)]),
        (1029, [(1024, 0)]),
    ],
)
def test_the_pages_that_cover_a_chain(newest: int, pages: list[tuple[int, int]]) -> None:
    assert pages_of(newest) == pages


def test_a_chain_is_read_by_its_pages_and_is_whole(chain: SyntheticChain) -> None:
    repository = chain.repository()
    chain.store.reset()

    found = read_chain(repository)

    assert sorted(found.links) == list(range(1, LENGTH + 1))
    assert check_chain(found) == ([], [])
    assert chain.store.total <= 25


@pytest.mark.parametrize("width", [width for width, _ in LEVELS])
def test_pages_that_are_gone_or_forged_cost_requests_and_nothing_else(chain: SyntheticChain, width: int) -> None:
    for key in [key for key in chain.store.objects if key.startswith(f"index/{width}/")]:
        chain.store.objects[key] = b"{}"

    assert sorted(read_chain(chain.repository()).links) == list(range(1, LENGTH + 1))


def test_a_missing_page_is_read_as_those_of_which_it_is_made(chain: SyntheticChain) -> None:
    del chain.store.objects[index_key(256, 0)]
    repository = chain.repository()
    chain.store.reset()

    assert sorted(read_chain(repository).links) == list(range(1, LENGTH + 1))
    assert chain.store.total <= 25


def test_a_page_is_made_where_parts_of_it_are_missing() -> None:
    chain = SyntheticChain(CountingStore())
    chain.grow(16)
    for place in (1, 3):
        del chain.store.objects[index_key(4, place)]

    chain.grow(17)

    page = PAGE.read(chain.store.objects[index_key(16, 0)].partition(b"\n")[2], "page")
    assert [row.sequence for row in page.each] == list(range(1, 17))


def test_no_commit_writes_two_pages_and_each_is_written() -> None:
    due = [_page_due(number) for number in range(1, 2_000)]

    for width, later in LEVELS:
        ends = [numbers_of(*page)[-1] + later for page in due if page is not None and page[0] == width]
        assert ends == [number for number in range(1, 2_000) if number >= width + later and number % width == later]


def test_maintenance_writes_the_pages_that_are_missing(chain: SyntheticChain) -> None:
    for page in ((256, 0), (16, 17)):
        del chain.store.objects[index_key(*page)]

    assert write_missing_pages(chain.repository(), LENGTH) == 2
    assert write_missing_pages(chain.repository(), LENGTH) == 0
    assert check_chain(read_chain(chain.repository())) == ([], [])


def test_the_last_number_of_a_wide_page_is_found_by_no_more_listings(chain: SyntheticChain) -> None:
    listings = []
    for number in (255, 256, 257, 258, 259, 260):
        shorter = CountingStore({key: content for key, content in chain.store.objects.items() if _is_of(key, number)})
        repository = opened(shorter)
        shorter.reset()
        head = find_head(repository)
        assert head is not None
        assert head.document.sequence == number
        listings.append(shorter.requests["list"])

    assert len(set(listings)) == 1


def _is_of(key: str, number: int) -> bool:
    """Return whether an object is of a chain up to a number."""
    if key.startswith(MANIFESTS):
        return manifest_number(key) <= number
    return not key.startswith(INDEX) or tuple(map(int, key.split("/")[1:])) in {
        page for page in map(_page_due, range(1, number + 1)) if page is not None
    }


def test_a_chain_of_a_year_is_listed_by_few_requests_at_each_length() -> None:
    # An hourly sync, and a compaction each fifth: 29 commits a day. Beside pages and manifests are listings of names,
    # of manifests a thousand a request, and the genesis, a signer, the newest page and prune records.
    numbers = 8_775 * 29 // 24
    asked = {}
    for newest in range(1, numbers + 1):
        pages = pages_of(newest)
        unread = newest - sum(width for width, _ in pages)
        asked[newest] = len(pages) + unread + -(-newest // 1_000) + 7

    assert max(asked.values()) == 52


@pytest.mark.parametrize("days", [1, 2])
def test_a_compaction_asks_the_store_at_most_a_hundred_times(days: int) -> None:
    chain = SyntheticChain(CountingStore())
    chain.grow(24 * days)
    asked = []

    # Pages of the index are filled on the way, of both widths in the end.
    while chain.syncs < 24 * days + 12 or chain.newest is None or chain.newest.sequence < 20:
        repository = chain.repository()
        chain.store.reset()
        chain.compact(repository)
        asked.append(chain.store.total)
        chain.commit(chain.repository())

    assert 50 < max(asked) <= 100


@pytest.mark.parametrize("number", [1, 256, 257, 300, 312])
def test_a_snapshot_is_found_by_id_and_by_time_with_few_requests(chain: SyntheticChain, number: int) -> None:
    taken_at = (BEGAN + timedelta(hours=number - 1)).replace(tzinfo=UTC)
    wanted = f"{taken_at:%Y%m%dT%H%M%SZ}-{number - 1:08x}"

    for name in (wanted, taken_at, taken_at + timedelta(minutes=59)):
        repository = chain.repository()
        chain.store.reset()
        assert find_manifest(repository, name).sequence == number
        assert chain.store.requests["get"] <= 40
        assert chain.store.bytes <= 1_200_000


@pytest.mark.parametrize(
    ("place", "most"),
    [("latest", 4), (0, 5), (150, 5), (LENGTH - 4, 5), (LENGTH - 1, 5)],
    ids=["newest", "oldest", "middle", "after the last page", "last"],
)
@pytest.mark.parametrize("by", ["time", "id"])
def test_a_snapshot_is_opened_in_at_most_five_sequential_requests(
    place: Any, most: int, by: str, chain: SyntheticChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = chain.repository()
    wanted: Any = place
    if place != "latest":
        taken_at = BEGAN.replace(tzinfo=UTC) + timedelta(hours=place)
        wanted = taken_at if by == "time" else f"{taken_at:%Y%m%dT%H%M%SZ}-{place:08x}"

    assert steps_of(chain.store, lambda: find_manifest(repository, wanted), monkeypatch) <= most


@pytest.mark.parametrize("name", ["20260110T000000Z-ffffffff", "nonsense", BEGAN - timedelta(days=1)], ids=str)
def test_one_that_is_not_there_is_not_found(chain: SyntheticChain, name: object) -> None:
    with pytest.raises(SnapshotNotFoundError, match="but 312 others"):
        find_manifest(chain.repository(), name)  # type: ignore[arg-type]


def test_a_missing_manifest_that_a_page_lists_is_missed(chain: SyntheticChain) -> None:
    del chain.store.objects[manifest_key(40)]

    findings, _ = check_chain(read_chain(chain.repository()))

    assert [(found.damage.value, found.object) for found in findings] == [("missing", manifest_key(40))]


def test_prune_decides_by_the_pages_and_keeps_every_list_that_is_needed(chain: SyntheticChain) -> None:
    kept = Retention(keep_last=3, keep_daily=5)

    report = prune(chain.repository(), kept, orphan_age=timedelta(0), grace=timedelta(0))

    assert len(report.kept) == 7
    for decision in report.kept:
        files = find_manifest(chain.repository(), decision.snapshot_id).files
        assert {file.key for file in files} <= chain.store.objects.keys()
    with pytest.raises(SnapshotNotFoundError):
        find_manifest(chain.repository(), f"{BEGAN:%Y%m%dT%H%M%SZ}-00000000")
    assert check_chain(read_chain(chain.repository())) == ([], [])


def test_the_newest_snapshots_are_found_without_a_listing_of_all(chain: SyntheticChain) -> None:
    repository = chain.repository()
    asked: list[str] = []
    listed = chain.store.list

    def noted(prefix: str, after: str = "") -> Any:
        asked.append(after if prefix == MANIFESTS else prefix)
        return listed(prefix, after)

    chain.store.list = noted  # type: ignore[method-assign]

    assert newest_sequences(repository, 8)[-8:] == list(range(LENGTH - 7, LENGTH + 1))
    assert asked[-1] == manifest_key(LENGTH - 17)


def test_where_the_newest_were_pruned_older_ones_are_found(chain: SyntheticChain) -> None:
    prune(chain.repository(), Retention(keep_last=1, keep_daily=5), orphan_age=timedelta(0), grace=timedelta(0))

    assert newest_sequences(chain.repository(), 2) == committed_sequences(chain.repository())


def test_a_manifest_of_a_sync_stays_small(chain: SyntheticChain) -> None:
    sizes = [len(chain.store.objects[manifest_key(number)]) for number in range(2, LENGTH)]

    assert sum(sizes) / len(sizes) <= 24_000
    assert sizes[-1] <= 10_000


def test_snapshots_that_a_page_lists_and_are_gone_are_damage(chain: SyntheticChain) -> None:
    for number in range(302, LENGTH + 1):
        del chain.store.objects[manifest_key(number)]

    findings, _ = check_chain(read_chain(chain.repository()))

    assert [(found.damage, found.object) for found in findings] == [(Damage.ROLLED_BACK, manifest_key(LENGTH))]


def test_another_snapshot_of_a_number_that_a_page_lists_is_damage(
    chain: SyntheticChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(303, LENGTH + 1):
        del chain.store.objects[manifest_key(number)]
    chain.newest = find_manifest(chain.repository())
    monkeypatch.setattr(counting_store, "BEGAN", BEGAN + timedelta(minutes=1))
    chain.grow(LENGTH)

    findings, _ = check_chain(read_chain(chain.repository()))

    assert manifest_key(304) in {found.object for found in findings}


def test_an_older_page_of_snapshots_that_were_removed_answers_for_no_other_snapshot(
    chain: SyntheticChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = find_manifest(chain.repository())
    pages = {name: chain.store.objects[name] for name in (index_key(16, 17), index_key(16, 18))}
    for name in (*pages, *map(manifest_key, range(282, LENGTH + 1))):
        del chain.store.objects[name]
    chain.newest = find_manifest(chain.repository())
    monkeypatch.setattr(counting_store, "BEGAN", BEGAN + timedelta(minutes=1))
    chain.grow(LENGTH)
    forked = find_manifest(chain.repository(), removed.taken_at - timedelta(hours=20))
    chain.store.objects.update(pages)

    assert forked.snapshot_id != removed.snapshot_id
    assert find_manifest(chain.repository(), removed.taken_at - timedelta(hours=20)) == forked
    with pytest.raises(SnapshotNotFoundError):
        find_manifest(chain.repository(), _id_of(chain, pages))


def test_a_wider_page_is_not_made_of_a_smaller_one_of_snapshots_that_were_removed(
    chain: SyntheticChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed, stale = find_manifest(chain.repository()), index_key(4, 77)
    older = chain.store.objects.pop(stale)
    del chain.store.objects[manifest_key(LENGTH)]
    chain.newest = find_manifest(chain.repository())
    monkeypatch.setattr(counting_store, "BEGAN", BEGAN + timedelta(minutes=1))
    chain.grow(LENGTH + 4)
    chain.store.objects[stale] = older
    chain.grow(LENGTH + 12)

    rows = read_page(chain.repository(), 16, 19)

    assert rows is not None
    assert [row.sha256 for row in rows] == [
        chain.repository().read_signed(number).sha256 for number in numbers_of(16, 19)
    ]
    assert removed.snapshot_id not in {row.snapshot_id for row in rows}


def _id_of(chain: SyntheticChain, pages: Mapping[str, bytes]) -> str:
    """Return the id of the last snapshot that the older pages list."""
    [*_, content] = pages.values()
    return str(json.loads(content.partition(b"\n")[2])["snapshot_id"][-1])


@pytest.mark.parametrize("replaced", [(), (150,), (50, 182, 300), range(305, 312)])
def test_the_newest_is_found_behind_many_objects_of_outsiders(chain: SyntheticChain, replaced: Iterable[int]) -> None:
    for number in (*replaced, *range(LENGTH + 1, LENGTH + 300)):
        chain.store.objects[manifest_key(number)] = b"{}"
    chain.store.reset()

    head = find_head(chain.repository())

    assert head is not None
    assert head.document.sequence == LENGTH
    assert chain.store.total < 200


def test_the_newest_is_found_beside_a_page_and_numbers_of_outsiders(chain: SyntheticChain) -> None:
    chain.store.objects[index_key(256, 100)] = b"{}"
    for number in range(256 * 101, 256 * 101 + 2_000, 2):
        chain.store.objects[manifest_key(number)] = b"{}"
    chain.store.reset()

    head = find_head(chain.repository())

    assert head is not None
    assert head.document.sequence == LENGTH
    assert chain.store.total < 200


def test_the_newest_is_found_though_what_the_pages_end_with_was_replaced(chain: SyntheticChain) -> None:
    for number in range(257, 321):
        chain.store.objects[manifest_key(number)] = b"{}"

    head = find_head(chain.repository())

    assert head is not None
    assert head.document.sequence == 256
