"""A prune drops queries that are too old, also where no task reads a history any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.query_history import HistoryLimits, update_query_history
from airflow_provider_elementary.snapshots.maintenance.expired_queries import drop_expired_queries
from airflow_provider_elementary.snapshots.maintenance.outdated_results import outdated_results
from airflow_provider_elementary.snapshots.verify.results import check_series
from airflow_provider_elementary.storage.genesis import Role
from tests.support.query_histories import ListingSession, query, stored, updated
from tests.support.signing import created, entry, new_signer, opened
from tests.support.stores import Rest, local_rest

NOW = datetime.now(UTC).replace(tzinfo=None, hour=12)
DAY = timedelta(days=1)
LIMITS = HistoryLimits(first_days=20, most_days=30)


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    rest = local_rest(tmp_path)
    session = ListingSession([query(number, NOW - number * DAY) for number in (1, 2, 9)])
    updated(rest, session, "one", NOW, limits=LIMITS)
    return rest


def test_days_that_are_over_are_dropped_and_the_others_stay(rest: Rest) -> None:
    assert drop_expired_queries(rest.repository, NOW + 25 * DAY, {}) == 1

    assert stored(rest)["query_id"].to_pylist() == ["q2", "q1"]


def test_days_of_the_category_count_where_they_are_fewer(rest: Rest) -> None:
    assert drop_expired_queries(rest.repository, NOW, {"query_logs": 5}) == 1
    assert drop_expired_queries(rest.repository, NOW, {"query_logs": 500}) == 0

    assert stored(rest).num_rows == 2


def test_a_key_that_may_not_sign_results_leaves_expired_days(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rest = local_rest(tmp_path)
    owner, analyst = new_signer(), new_signer()
    store_id = created(rest.store, entry(owner, Role.STORE), entry(analyst, Role.RESULTS)).store_id
    pruned, written = (opened(rest.store, rest.keys, store_id=store_id, signing=each) for each in (owner, analyst))
    session: Any = ListingSession([query(number, NOW - number * DAY) for number in (1, 9)])
    update_query_history(written, session, connection="history", run_key="one", limits=LIMITS, now=NOW)

    assert drop_expired_queries(pruned, NOW + 25 * DAY, {}) == 0
    assert "may not sign for results" in caplog.text
    assert drop_expired_queries(written, NOW + 25 * DAY, {}) == 1


def test_the_next_run_continues_after_a_prune(rest: Rest) -> None:
    drop_expired_queries(rest.repository, NOW + 25 * DAY, {})

    found = updated(rest, ListingSession([query(50, NOW + 25 * DAY)]), "two", NOW + 26 * DAY, limits=LIMITS)

    assert (found.new, found.rows) == (1, 3)


def test_results_that_the_newest_replaces_go_and_the_newest_stays(rest: Rest) -> None:
    updated(rest, ListingSession(), "two", NOW + timedelta(hours=1))

    gone = outdated_results(rest.repository, [], NOW, datetime.now(UTC) + DAY)

    assert [result.run_key for result in gone.results] == ["one"]
    (newest,) = [file for file in rest.store.list("results/") if file.key.endswith(".parquet")][:1]
    assert not gone.names(newest.key)


def test_a_history_that_nobody_continued_goes_whole(rest: Rest) -> None:
    gone = outdated_results(rest.repository, [], NOW, datetime.now(UTC) + 31 * DAY)

    assert [result.run_key for result in gone.results] == ["one"]


def test_a_history_is_verified_as_other_results_are(rest: Rest) -> None:
    checked = check_series(rest.repository, rest.repository.chain(), each=True)

    assert (checked.results, checked.findings) == (1, [])
    assert len(checked.named) == 3
