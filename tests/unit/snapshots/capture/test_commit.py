"""Nothing is written where the clocks differ, and times go by the numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from airflow_provider_elementary.exceptions import StoreRefusedError
from airflow_provider_elementary.snapshots.capture.commit import require_writer
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
        require_writer(repository)


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_a_clock_that_differs_by_five_minutes_is_accepted(minutes: int, tmp_path: Path) -> None:
    store = ClockedStore(tmp_path / "store")
    store.ahead = timedelta(minutes=minutes)

    require_writer(opened(store))


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


def test_the_time_of_a_snapshot_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = SyntheticChain(CountingStore())
    chain.grow(2)
    newest = chain.newest
    assert newest is not None
    monkeypatch.setattr(counting_store, "BEGAN", counting_store.BEGAN - timedelta(days=10))

    assert chain.commit(chain.repository()).created_at == newest.created_at
