"""Decides which time the next run reads, and reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_elementary.exceptions import WarehouseError
from airflow_provider_elementary.query_history.guard import HistorySession, history_query, run
from airflow_provider_elementary.query_history.rows import time_of

#: Rows that one statement of the registry returns at most.
PAGE = 10_000
#: Characters of statements after which a run ends, as after ``most_rows``: they may all be stored.
MOST_TEXT = 256_000_000
#: Queries that end within this time of each other may be listed in any order.
OVERLAP = timedelta(minutes=15)


@dataclass(frozen=True)
class Window:
    """The time that a run reads, by when queries ended.

    :param since: its first moment.
    :param until: the moment after its last.
    :param is_behind: there is more after it: the next run continues there.
    """

    since: datetime
    until: datetime
    is_behind: bool = False


@dataclass(frozen=True)
class EarlierRead:
    """What the run before read.

    :param until: the moment after the last that it read.
    :param at: what time it was.
    :param newest: when the newest query ended that any run read.
    """

    until: datetime
    at: datetime
    newest: datetime | None


def next_window(
    before: EarlierRead | None, now: datetime, *, delay: timedelta, first: timedelta, most: timedelta
) -> Window:
    """Return the window of the next run, in UTC.

    :param before: None for the first run.
    :param now: what time it is.
    :param delay: for how long a history may still be incomplete; so much is read again.
    :param first: how far the first run looks back.
    :param most: how much time one run reads.
    """
    if before is None:
        since = now - first
    else:
        since = min(before.until, min(before.at, now) - delay - OVERLAP)
        if now < before.at:
            # The clock was set back, or was ahead before: only what has rows is known to be read.
            since = min(since, before.newest or now - first)
    until = max(min(now, since + most), since)
    return Window(since, until, is_behind=until < now)


@dataclass
class WindowReader:
    """Reads a window, a page of rows at a time.

    :param most_rows: after this number of rows the run ends, and the next continues there.
    :param read_until: up to when all rows were read; known once they were.
    """

    session: HistorySession
    window: Window
    most_rows: int
    read_until: datetime | None = None
    is_behind: bool = False

    def pages(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows as the warehouse lists them; those of the last moment of a page come twice."""
        since, count, text = self.window.since, 0, 0
        self.is_behind = self.window.is_behind
        while True:
            page = run(self.session, history_query(self.session, since, self.window.until))
            yield page
            count += len(page)
            text += sum(len(str(row.get("query_text") or "")) for row in page)
            if len(page) < PAGE:
                self.read_until = self.window.until
                return
            last = max((time for row in page if (time := time_of(row["ended_at"]))), default=since)
            if last <= since:
                raise WarehouseError(
                    f"More than {PAGE:,} queries ended at {last} UTC: the history cannot be read further by time. "
                    "Nothing was committed. Read it again after a while, or report this."
                )
            since = last
            if count >= self.most_rows or text >= MOST_TEXT:
                self.read_until, self.is_behind = last, True
                return
