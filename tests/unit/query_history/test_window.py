"""No query is left out between two runs, whatever the clock does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from airflow_provider_elementary.exceptions import WarehouseError
from airflow_provider_elementary.query_history import window as windows
from airflow_provider_elementary.query_history.guard import HistorySession
from airflow_provider_elementary.query_history.window import EarlierRead, Window, WindowReader, next_window

NOW = datetime(2026, 11, 2, 12)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def window_after(before: EarlierRead | None, now: datetime = NOW) -> Window:
    return next_window(before, now, delay=timedelta(minutes=45), first=DAY, most=2 * DAY)


def test_the_first_run_looks_back_a_bounded_time() -> None:
    assert window_after(None) == Window(NOW - DAY, NOW)


def test_the_next_run_reads_again_what_may_have_been_incomplete() -> None:
    assert window_after(EarlierRead(NOW - HOUR, NOW - HOUR, None)) == Window(NOW - 2 * HOUR, NOW)


def test_a_long_pause_is_read_in_windows_that_follow_each_other() -> None:
    first = window_after(EarlierRead(NOW - 9 * DAY, NOW - 9 * DAY, None))
    second = window_after(EarlierRead(first.until, NOW, None))

    assert first.is_behind
    assert first.until - first.since == 2 * DAY
    assert second.since == first.until


def test_a_clock_that_was_ahead_hides_no_query() -> None:
    """The run before believed to be a year later; the last query that it saw ended an hour ago."""
    ahead = EarlierRead(NOW + 365 * DAY, NOW + 365 * DAY, newest=NOW - HOUR)

    assert window_after(ahead).since <= NOW - HOUR
    assert window_after(ahead).until == NOW


def test_a_clock_that_goes_back_makes_no_window_that_ends_before_it_begins() -> None:
    found = window_after(EarlierRead(NOW, NOW, newest=NOW), now=NOW - 30 * DAY)

    assert found.since <= found.until


class PagedSession:
    """Answers with queries that ended at these times, as a warehouse would: in order, a page at most."""

    dialect = adapter = "clickhouse"
    schema, database = "system", None

    @staticmethod
    def shown(at: datetime) -> Any:
        return at

    def __init__(self, ended: list[datetime]) -> None:
        self.ended = ended
        self.asked: list[str] = []

    def records(self, statement: str, parameters: object = ()) -> list[dict[str, Any]]:
        self.asked.append(statement)
        since = datetime.fromisoformat(
            statement.split("event_time_microseconds >= parseDateTime64BestEffort('")[1][:26]
        )
        found = [
            {"query_id": str(n), "ended_at": self.shown(at), "query_text": "x"}
            for n, at in enumerate(self.ended)
            if at >= since
        ]
        return found[: windows.PAGE]


def read(ended: list[datetime], most_rows: int) -> tuple[set[str], WindowReader]:
    session = cast(HistorySession, PagedSession(ended))
    reader = WindowReader(session, Window(NOW - DAY, NOW), most_rows)
    return {row["query_id"] for page in reader.pages() for row in page}, reader


def test_a_window_is_read_to_its_end_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "PAGE", 10)
    ended = [NOW - DAY + timedelta(minutes=n // 2) for n in range(95)]

    found, reader = read(ended, most_rows=1_000)

    assert len(found) == 95
    assert (reader.read_until, reader.is_behind) == (NOW, False)


def test_a_run_that_ends_early_says_up_to_when_it_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "PAGE", 10)
    ended = [NOW - DAY + timedelta(minutes=n) for n in range(95)]

    _, reader = read(ended, most_rows=20)

    assert reader.is_behind
    assert reader.read_until is not None
    assert NOW - DAY < reader.read_until < NOW


def test_times_that_are_listed_as_texts_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "PAGE", 10)
    monkeypatch.setattr(PagedSession, "shown", staticmethod(datetime.isoformat))

    found, _ = read([NOW - DAY + timedelta(minutes=n) for n in range(25)], most_rows=1_000)

    assert len(found) == 25


def test_a_run_ends_early_after_much_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "PAGE", 10)
    monkeypatch.setattr(windows, "MOST_TEXT", 20)

    found, reader = read([NOW - DAY + timedelta(minutes=n) for n in range(95)], most_rows=1_000)

    assert reader.is_behind
    assert len(found) < 95


def test_more_queries_at_one_moment_than_a_page_holds_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "PAGE", 10)

    with pytest.raises(WarehouseError, match="More than 10 queries ended at"):
        read([NOW - HOUR] * 30, most_rows=1_000)
