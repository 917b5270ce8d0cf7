"""A run stores each query once, with earlier runs' queries, and no more of it than was asked for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import KeyUnavailableError
from airflow_provider_elementary.query_history import HistoryLimits, HistoryPolicy, read_query_history
from airflow_provider_elementary.query_history.reader import stored_histories
from airflow_provider_elementary.snapshots import LocalKeys
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.records.result_files import ResultNames, write_rows
from airflow_provider_elementary.storage.records.results import newest_result
from tests.support.query_histories import NOW, CountingSession, ListingSession, counted, query, stored, updated
from tests.support.signing import opened
from tests.support.stores import Rest, local_rest

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    return local_rest(tmp_path)


def test_a_query_becomes_one_row_with_its_tables_and_without_its_text(rest: Rest) -> None:
    updated(rest, ListingSession([query(1, NOW - HOUR)]))

    (row,) = stored(rest).to_pylist()
    assert row["query_id"] == "q1"
    assert (row["duration"], row["rows"], row["bytes"], row["runs"]) == (2.0, 5, 1_024, 1)
    assert (row["tables"], row["status"]) == ('["SHOP.ORDERS"]', "queryfinish")
    assert row["statement_text"] is None
    assert row["user"].startswith("user-")


def test_text_and_users_are_kept_where_asked_for_and_never_a_literal(rest: Rest) -> None:
    policy = HistoryPolicy(include_text=True, include_users=True)

    updated(rest, ListingSession([query(1, NOW - HOUR)]), policy=policy)

    (row,) = stored(rest).to_pylist()
    assert row["statement_text"] == "select secret from shop . orders where email = ?"
    assert row["user"] == "ada"


def test_of_a_failed_query_neither_text_nor_tables_are_kept(rest: Rest) -> None:
    failed = query(1, NOW - HOUR, status="ExceptionWhileProcessing", query_text='SELECT * FROM t WHERE e = "a@b.c"')

    updated(rest, ListingSession([failed]), policy=HistoryPolicy(include_text=True))

    (row,) = stored(rest).to_pylist()
    assert (row["statement_hash"], row["statement_text"], row["tables"]) == (None, None, None)


def test_a_statement_that_is_not_understood_keeps_the_hash_of_the_warehouse(rest: Rest) -> None:
    updated(rest, ListingSession([query(1, NOW - HOUR, query_text="SELECT 'open", warehouse_hash="42")]))

    assert stored(rest)["statement_hash"].to_pylist() == ["warehouse:42"]


def test_reading_the_same_time_again_changes_nothing(rest: Rest) -> None:
    session = ListingSession([query(number, NOW - number * timedelta(minutes=7)) for number in range(1, 40)])
    updated(rest, session, "one")
    before = stored(rest)

    again = updated(rest, session, "two")

    assert again.new == 0
    assert stored(rest).equals(before)


def test_a_query_that_is_listed_late_comes_with_the_next_run(rest: Rest) -> None:
    session = ListingSession([query(1, NOW - HOUR)])
    updated(rest, session, "one")
    session.queries.append(query(2, NOW - timedelta(minutes=10)))

    assert updated(rest, session, "two", NOW + HOUR).new == 1
    assert stored(rest)["query_id"].to_pylist() == ["q1", "q2"]


def test_rows_of_earlier_days_stay_and_those_of_thirty_days_ago_go(rest: Rest) -> None:
    session = ListingSession([query(number, NOW - number * DAY + HOUR) for number in range(1, 4)])
    updated(rest, session, "one", limits=HistoryLimits(first_days=4, most_days=10))
    assert stored(rest).num_rows == 3

    session.queries.append(query(9, NOW + 28 * DAY))
    updated(rest, session, "two", NOW + 29 * DAY, limits=HistoryLimits(most_days=60))

    assert stored(rest)["query_id"].to_pylist() == ["q1", "q9"]


def test_a_long_pause_is_caught_up_with_in_bounded_runs(rest: Rest) -> None:
    session = ListingSession([query(0, NOW - HOUR)])
    updated(rest, session, "first")
    session.queries += [query(number, NOW + number * DAY) for number in range(1, 9)]

    runs = [updated(rest, session, f"run {number}", NOW + 10 * DAY) for number in range(6)]

    assert [run.is_behind for run in runs[:3]] == [True, True, True]
    assert not runs[-1].is_behind
    assert stored(rest).num_rows == 9


def test_the_rows_open_with_the_key_of_query_logs_alone(rest: Rest) -> None:
    updated(rest, ListingSession([query(1, NOW - HOUR)]))
    (result,) = stored_histories(rest.repository)
    assert {file.category for file in result.files} == {Category.QUERY_LOGS}
    others = {name: key for name, key in LocalKeys.generate().items() if name != Category.QUERY_LOGS}

    with pytest.raises(KeyUnavailableError):
        read_query_history(opened(rest.store, LocalKeys(others))).read_all()


def test_a_user_has_one_pseudonym_in_all_runs(rest: Rest) -> None:
    session = ListingSession([query(1, NOW - HOUR)])
    updated(rest, session, "one")
    session.queries = [query(2, NOW + HOUR), query(3, NOW + HOUR, user_name="bob")]
    updated(rest, session, "two", NOW + 2 * HOUR)

    users = dict(zip(stored(rest)["query_id"].to_pylist(), stored(rest)["user"].to_pylist(), strict=True))
    assert users["q1"] == users["q2"] != users["q3"]


def test_an_id_that_a_client_gives_again_is_another_query(rest: Rest) -> None:
    again = {**query(1, NOW - timedelta(minutes=5)), "query_id": "q1"}

    updated(rest, ListingSession([query(1, NOW - HOUR), again]))

    assert stored(rest)["query_id"].to_pylist() == ["q1", "q1"]


def test_a_table_gets_the_known_part_of_its_missing_names(rest: Rest) -> None:
    queries = [
        query(1, NOW - HOUR, query_text="SELECT * FROM t", schema_name="shop"),
        query(2, NOW - HOUR, query_text="SELECT * FROM s.t", database_name="dwh", schema_name=""),
        query(3, NOW - HOUR, query_text="SELECT * FROM t", database_name="dwh", schema_name=""),
    ]

    updated(rest, ListingSession(queries))

    assert stored(rest)["tables"].to_pylist() == ['["SHOP.T"]', '["DWH.S.T"]', '["T"]']


def test_a_run_that_fails_leaves_no_file(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(opened: OpenStore, names: ResultNames, *rest: Any, **options: Any) -> None:
        write_rows(opened, names, *rest, **options)
        raise OSError("disk")

    monkeypatch.setattr("airflow_provider_elementary.query_history.update.write_rows", fails)
    with pytest.raises(OSError, match="disk"):
        updated(rest, ListingSession([query(1, NOW - HOUR)]))

    assert [found.key for found in rest.store.list("results/")] == []


def test_a_run_that_fails_after_its_commit_leaves_a_readable_history(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ListingSession([query(1, NOW - HOUR)])
    before = updated(rest, session, "one").result.key
    session.queries.append(query(2, NOW - timedelta(minutes=5)))
    delete = type(rest.store).delete

    def fails(store: Any, key: str) -> None:
        # The document of the attempt before is removed after the new one was written.
        if key == before:
            raise OSError("denied")
        delete(store, key)

    monkeypatch.setattr(type(rest.store), "delete", fails)
    with pytest.raises(OSError, match="denied"):
        updated(rest, session, "one")

    assert stored(rest)["query_id"].to_pylist() == ["q1", "q2"]


def test_rows_with_odd_values_are_kept_as_far_as_they_are_known(rest: Rest) -> None:
    odd = query(
        1, NOW - HOUR, duration_ms=-5, row_count=2**70, bytes="no number", cost=float("nan"), started_at="later"
    )
    without_end = {**query(2, NOW - HOUR), "query_id": None}

    updated(rest, ListingSession([odd, without_end]))

    (row,) = stored(rest).to_pylist()
    assert (row["duration"], row["rows"], row["bytes"], row["cost"], row["started_at"]) == (0.0, None, None, None, None)


def test_counters_become_rows_of_what_ran_between_two_reads(rest: Rest) -> None:
    session = CountingSession([counted("a", 1_000, NOW), counted("b", 7, NOW)])
    first = updated(rest, session, "one")
    assert (first.new, stored(rest).num_rows) == (0, 0)
    session.queries = [counted("a", 1_003, NOW + HOUR), counted("b", 7, NOW + HOUR), counted("c", 2, NOW + HOUR)]

    updated(rest, session, "two", NOW + HOUR)

    rows = {row["runs"]: row for row in stored(rest).to_pylist()}
    assert set(rows) == {3, 2}
    assert (rows[3]["duration"], rows[3]["rows"], rows[3]["bytes"]) == (0.03, 3, 3 * 8_192)
    assert (rows[3]["started_at"], rows[3]["ended_at"]) == (NOW, NOW + HOUR)


def test_a_reset_between_two_reads_is_said_and_counts_no_run_twice(rest: Rest) -> None:
    session = CountingSession([counted("a", 1_000, NOW)])
    updated(rest, session, "one")
    reset = NOW + timedelta(minutes=30)
    # By then it had run more often than at the read before: only the time of the reset shows it.
    session.queries = [counted("a", 1_200, NOW + HOUR, reset_at=reset)]

    found = updated(rest, session, "two", NOW + HOUR)

    assert stored(rest)["runs"].to_pylist() == [1_200]
    assert "reset" in " ".join(found.notes)


def test_entries_that_the_server_removed_are_said_and_count_from_zero(rest: Rest) -> None:
    session = CountingSession([counted("a", 1_000, NOW)])
    updated(rest, session, "one")
    session.queries = [counted("a", 4, NOW + HOUR, evictions=3)]

    found = updated(rest, session, "two", NOW + HOUR)

    assert stored(rest)["runs"].to_pylist() == [4]
    assert "3 times" in " ".join(found.notes)


def test_a_server_whose_clock_goes_back_gives_no_negative_time(rest: Rest) -> None:
    session = CountingSession([counted("a", 1, NOW)])
    updated(rest, session, "one")
    session.queries = [counted("a", 3, NOW - HOUR)]

    updated(rest, session, "two", NOW)

    (row,) = stored(rest).to_pylist()
    assert row["started_at"] <= row["ended_at"]
    assert row["runs"] == 2


def test_a_task_that_is_run_again_counts_no_run_twice(rest: Rest) -> None:
    session = CountingSession([counted("a", 10, NOW)])
    updated(rest, session, "one")
    session.queries = [counted("a", 13, NOW + HOUR)]
    updated(rest, session, "two", NOW + HOUR)

    updated(rest, session, "two", NOW + HOUR)

    assert sum(stored(rest)["runs"].to_pylist()) == 3
    assert newest_result(rest.repository, "queries", "history") is not None


def test_texts_that_are_no_texts_are_not_read(rest: Rest) -> None:
    updated(rest, ListingSession([query(1, NOW - HOUR, query_text=b"SELECT 'hunter2'", query_tag=7)]))

    (row,) = stored(rest).to_pylist()
    assert (row["statement_hash"], row["dbt_node"]) == (None, None)
