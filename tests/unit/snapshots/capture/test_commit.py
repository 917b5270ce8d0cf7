"""Nothing is written where the clocks differ, times go by the numbers, and a retry finds what was committed."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import StoreRefusedError
from airflow_provider_elementary.snapshots import find_manifest
from airflow_provider_elementary.snapshots.capture.commit import commit, committed_for, require_writer
from airflow_provider_elementary.snapshots.capture.plan import Plan
from airflow_provider_elementary.snapshots.lookup import find_head
from airflow_provider_elementary.storage.layout import manifest_key
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from tests.support import counting_store
from tests.support.counting_store import CountingStore, SyntheticChain
from tests.support.signing import opened


class ClockedStore(LocalStore):
    """A store whose server has a clock of its own."""

    ahead = timedelta(0)

    def clock_difference(self) -> timedelta:
        return self.ahead


@pytest.mark.parametrize(
    ("ahead", "message"),
    [
        (timedelta(minutes=12), "12 minutes ahead of that of"),
        (timedelta(hours=-2), "120 minutes behind that of"),
    ],
)
def test_a_clock_that_differs_from_the_stores_is_refused(ahead: timedelta, message: str, tmp_path: Path) -> None:
    store = ClockedStore(tmp_path / "store")
    repository = opened(store)
    store.ahead = ahead

    with pytest.raises(StoreRefusedError, match=message):
        require_writer(repository, None)


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_a_clock_that_differs_by_five_minutes_is_accepted(minutes: int, tmp_path: Path) -> None:
    store = ClockedStore(tmp_path / "store")
    store.ahead = timedelta(minutes=minutes)

    require_writer(opened(store), None)


@pytest.fixture
def client() -> Any:
    return boto3.client("s3", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")


def answer(client: Any, date: object) -> None:
    parsed = {"ResponseMetadata": {"HTTPHeaders": {"date": date} if date is not None else {}}}
    client.meta.events.emit("after-call.s3.GetObject", parsed=parsed, http_response=None, model=None, context={})


def test_the_clock_of_s3_is_the_date_of_its_last_answer(client: Any) -> None:
    store = S3Store(client, "bucket", "prefix")
    assert store.clock_difference() is None

    answer(client, format_datetime(datetime.now(UTC) - timedelta(minutes=12), usegmt=True))

    difference = store.clock_difference()
    assert difference is not None
    assert abs(difference - timedelta(minutes=12)) < timedelta(seconds=30)


@pytest.mark.parametrize("date", [None, "", "yesterday", 7])
def test_an_answer_without_a_date_says_nothing(date: object, client: Any) -> None:
    store = S3Store(client, "bucket", "prefix")

    answer(client, date)

    assert store.clock_difference() is None


def test_a_retry_finds_what_an_attempt_before_it_committed() -> None:
    chain = SyntheticChain(CountingStore())
    chain.grow(3)
    first = find_manifest(chain.repository(), "20250101T000000Z-00000000")
    repository = chain.repository()

    for run_after in (None, first.taken_at):
        found = committed_for(repository, first.run_key, tuple(Category), run_after, find_head(repository))
        assert found is not None
        assert found.snapshot_id == first.snapshot_id


@pytest.mark.parametrize(("clock", "is_found"), [(None, True), (timedelta(0), False)])
def test_where_no_clock_was_compared_the_newest_snapshots_are_looked_at(
    clock: timedelta | None, is_found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = SyntheticChain(CountingStore())
    chain.grow(4)
    first = find_manifest(chain.repository(), "20250101T000000Z-00000000")
    repository = chain.repository()
    head = find_head(repository)
    assert head is not None
    monkeypatch.setattr(chain.store, "clock_difference", lambda: clock)

    found = committed_for(
        repository, first.run_key, tuple(Category), head.document.taken_at + timedelta(minutes=6), head
    )

    assert (found is not None) is is_found


def test_a_first_attempt_looks_at_the_newest_snapshot_alone() -> None:
    chain = SyntheticChain(CountingStore())
    chain.grow(9)
    repository = chain.repository()
    head = find_head(repository)
    assert head is not None
    chain.store.reset()

    found = committed_for(repository, "a run", tuple(Category), head.document.taken_at + timedelta(hours=1), head)

    assert found is None
    assert chain.store.total == 0


def test_the_time_of_a_snapshot_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = SyntheticChain(CountingStore())
    chain.grow(2)
    newest = chain.newest
    assert newest is not None
    monkeypatch.setattr(counting_store, "BEGAN", counting_store.BEGAN - timedelta(days=10))

    assert chain.commit(chain.repository()).created_at == newest.created_at


@pytest.mark.parametrize(("hours", "number"), [(0, 4), (25, 7)])
def test_a_plan_of_a_day_ago_does_not_say_what_is_newest(hours: float, number: int) -> None:
    chain = SyntheticChain(CountingStore())
    chain.grow(3)
    repository = chain.repository()
    head, parent = find_head(repository), chain.newest
    assert parent is not None
    manifest = replace(parent, snapshot_id="20270101T000000Z-00000000", kind="full", files=())
    if hours:
        # What others committed, and a prune removed.
        chain.grow(6)
        for gone in (4, 5):
            del chain.store.objects[manifest_key(gone)]

    committed = commit(repository, manifest, Plan(parent, None, "", head=head, made_at=time.time() - hours * 3600))

    assert committed is not None
    assert committed.sequence == number
