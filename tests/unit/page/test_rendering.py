"""How values are written for people, and addresses for browsers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_elementary.page.rendering import address, ago, environment
from airflow_provider_elementary.page.views.base import page_of
from tests.support.incidents import failing_test, resolved

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=5, minutes=59), "5 hours ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(hours=-2), "in the future"),
    ],
)
def test_ages_are_written_in_their_largest_unit(before: timedelta, text: str) -> None:
    assert ago(NOW - before, NOW) == text


def test_a_time_without_a_zone_is_utc() -> None:
    assert ago(datetime(2026, 11, 22, 11), NOW) == "1 hour ago"


def test_an_address_is_relative_and_leaves_empty_values_out() -> None:
    assert address("table", name='A&B "C"/é', q="", page=None, store="s3://b/p") == (
        "table?name=A%26B+%22C%22%2F%C3%A9&store=s3%3A%2F%2Fb%2Fp"
    )


@pytest.mark.parametrize(("asked", "rows", "first", "last"), [(1, [0, 1], 1, 2), (3, [4], 5, 5), (99, [4], 5, 5)])
def test_a_page_beyond_the_last_is_the_last(asked: int, rows: list[int], first: int, last: int) -> None:
    shown, page = page_of(range(5), asked, 2)

    assert list(shown) == rows
    assert (page.first_row, page.last_row, page.total) == (first, last, 5)


def test_an_empty_list_has_one_page() -> None:
    shown, page = page_of([], 4, 2)

    assert (list(shown), page.number, page.first_row, page.last_row) == ([], 1, 0, 0)


def test_what_was_closed_is_not_shown_as_resolved() -> None:
    shown = environment().get_template("_parts.html").module.incident_status  # type: ignore[attr-defined]
    gone = failing_test(
        ended_at=datetime(2026, 11, 3), state="removed", evidence="the test is no longer in the project"
    )

    assert "resolved" in shown(resolved())
    closed = shown(resolved(conditions=(gone,)))
    assert (">closed<" in closed, "healthy" in closed, gone.evidence in closed) == (True, False, True)
