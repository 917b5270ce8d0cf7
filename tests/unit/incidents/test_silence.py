"""Times in which dbt did not do what it usually does, by histories of commands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.dbt_commands import COMMAND_COLUMNS, Commands
from airflow_provider_elementary.incidents.silence import find_gaps, silence_conditions, stale_checks
from airflow_provider_elementary.source import arrow_schema

MONDAY = datetime(2026, 10, 5)
AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)


def daily(days: Iterable[int], hour: float = 6) -> list[datetime]:
    """Return a run at this hour of each of these days after Monday, a few minutes early or late."""
    return [MONDAY + day * A_DAY + hour * AN_HOUR + timedelta(minutes=day * 7 % 11) for day in days]


def working(days: int) -> list[int]:
    return [day for day in range(days) if day % 7 < 5]


def office_hours(days: int) -> list[datetime]:
    """Return a run in each hour from 8 to 18 on working days."""
    return [moment for hour in range(8, 19) for moment in daily(working(days), hour)]


def missed(times: Iterable[datetime], as_of: datetime) -> list[str]:
    """Return when what was missed by then, and still is, was due."""
    return [f"{gap.due_at:%a %H}" for gap in find_gaps(sorted(times), as_of) if not gap.is_over]


def at(day: int, hour: float) -> datetime:
    return MONDAY + day * A_DAY + hour * AN_HOUR


class TestWhatIsMissed:
    def test_a_daily_run_is_missed_half_a_day_after_it_was_due(self) -> None:
        times = daily(range(29))

        assert missed(times, at(29, 17)) == []
        assert missed(times, at(29, 19)) == ["Tue 06"]

    def test_an_hourly_run_is_missed_after_six_hours(self) -> None:
        times = [MONDAY + number * AN_HOUR for number in range(24 * 15)]

        assert missed(times, times[-1] + 6 * AN_HOUR) == []
        assert missed(times, times[-1] + 6.1 * AN_HOUR) == ["Tue 00"]

    @pytest.mark.parametrize(("day", "hour"), [(33, 12), (34, 23), (35, 5), (35, 12)])
    def test_a_weekend_that_is_always_free_is_not_missed(self, day: int, hour: int) -> None:
        assert missed(daily(working(33)), at(day, hour)) == []

    def test_a_free_weekend_does_not_hide_a_tuesday_without_a_run(self) -> None:
        assert missed(daily(working(36)), at(36, 19)) == ["Tue 06"]

    @pytest.mark.parametrize(("day", "hour"), [(32, 23), (33, 12), (35, 7.5), (35, 11)])
    def test_nights_and_weekends_without_runs_are_not_missed(self, day: int, hour: float) -> None:
        assert missed(office_hours(33), at(day, hour)) == []

    def test_a_monday_without_runs_in_office_hours_is_missed(self) -> None:
        assert missed(office_hours(33), at(36, 12)) == ["Mon 08"]

    def test_a_weekly_run_is_missed_a_day_after_it_was_due(self) -> None:
        times = daily(range(0, 36, 7))

        assert missed(times, at(42, 20)) == []
        assert missed(times, at(43, 8)) == ["Mon 06"]

    @pytest.mark.parametrize("days", [[0, 30, 61, 91], [0, 3, 4, 11, 30, 31, 55], range(9)])
    def test_where_nothing_is_regular_nothing_is_missed(self, days: Iterable[int]) -> None:
        times = daily(days)

        assert missed(times, times[-1] + 20 * A_DAY) == []

    def test_an_outage_before_makes_it_slower_and_not_blind(self) -> None:
        times = [*daily(range(20)), *daily(range(23, 40))]

        assert missed(times, at(40, 12)) == []
        assert missed(times, at(43, 19)) != []

    def test_a_gap_is_the_same_whatever_comes_later(self) -> None:
        times = daily(range(29))
        [open_now] = find_gaps(times, at(31, 0))
        [over] = find_gaps([*times, *daily([33, 34, 35])], at(36, 0))

        assert (over.last, over.due_at) == (open_now.last, open_now.due_at)
        assert (open_now.is_over, over.is_over) == (False, True)

    def test_times_at_the_ends_of_the_calendar_are_no_error(self) -> None:
        times = [datetime.min, *daily(range(29)), datetime.max]

        assert list(find_gaps(times, datetime.max))

    @pytest.mark.parametrize("hour", [18, 20, 23])
    def test_a_daily_run_that_stops_beside_a_later_one_is_missed_once(self, hour: int) -> None:
        times = sorted([*daily(range(40), 6), *daily(range(60), hour)])

        assert [f"{gap.due_at:%a %H}" for gap in find_gaps(times, at(60, 0))] == ["Sat 06"]

    def test_two_daily_jobs_that_stop_are_missed_once_each(self) -> None:
        stay, stop = [*daily(range(50), 0), *daily(range(50), 12)], [*daily(range(40), 2), *daily(range(40), 14)]

        assert [f"{gap.due_at:%a %H}" for gap in find_gaps(sorted([*stay, *stop]), at(50, 0))] == ["Sat 02", "Sat 14"]

    def test_a_daily_job_of_several_commands_that_stops_is_missed_once(self) -> None:
        stop = [moment for hour in (6, 6.5, 7) for moment in daily(range(40), hour)]

        assert len(list(find_gaps(sorted([*stop, *daily(range(60), 20)]), at(60, 0)))) == 1

    @pytest.mark.parametrize("hours", [9, 20, 34])
    def test_an_hourly_project_that_is_silent_again_the_next_day_is_missed_again(self, hours: int) -> None:
        times = [MONDAY + number * AN_HOUR for number in range(24 * 30 + 11)]
        times += [at(31, 9), at(31, 10)]

        assert missed(times, at(31, 10 + hours)) == ["Thu 12"]

    def test_a_project_that_is_silent_for_two_nights_is_missed_twice(self) -> None:
        times = [MONDAY + number * AN_HOUR for number in range(24 * 30 + 23)]
        times += [at(31, hour) for hour in range(8, 23)] + [at(32, 8)]

        assert [f"{gap.last:%a %H}" for gap in find_gaps(times, None)] == ["Wed 22", "Thu 22"]

    def test_what_stopped_does_not_hide_that_the_later_one_stops_too(self) -> None:
        times = sorted([*daily(range(40), 6), *daily(range(45), 23)])

        assert [f"{gap.due_at:%a %H}" for gap in find_gaps(times, at(48, 0))] == ["Sat 06", "Thu 23"]


def commands(times: Iterable[datetime], job: str | None = "nightly") -> list[dict[str, Any]]:
    return [
        {"invocation_id": f"{job} {time}", "created_at": time, "command": "build", "job_name": job} for time in times
    ]


def read(*given: Iterable[dict[str, Any]]) -> Commands:
    schema = arrow_schema(TABLES["dbt_invocations"], COMMAND_COLUMNS)
    return Commands.of(pa.Table.from_pylist([row for rows in given for row in rows], schema))


def silences(*given: Iterable[dict[str, Any]], as_of: datetime, moved_at: datetime | None = None) -> list[Condition]:
    return list(silence_conditions(read(*given), (), as_of, lambda invocations, last: moved_at))


class TestConditions:
    def test_silence_names_the_last_command_what_is_usual_and_how_long(self) -> None:
        [found] = silences(commands(daily(range(29))), as_of=at(30, 12))

        assert (found.subject, found.state, found.severity, found.holds) == ("silence", "silent", "high", True)
        assert found.evidence == (
            "the last dbt command was at 2026-11-02 06:09 UTC, and before, the next one came within 24 hours; nothing "
            "for 2 days"
        )

    def test_after_four_weeks_a_project_is_no_longer_expected_to_run(self) -> None:
        [found] = silences(commands(daily(range(29))), as_of=at(90, 0))

        assert (found.holds, found.is_closed, found.state) == (False, True, "no longer expected")
        assert found.ended_at == daily([28])[0] + 28 * A_DAY
        assert found.evidence.endswith("nothing for 28 days, so it is no longer expected")

    def test_rows_of_runs_without_a_command_of_their_own_are_no_silence(self) -> None:
        known = read(commands(daily(range(29))))

        assert list(silence_conditions(known, daily([29, 30]), at(30, 12), lambda *_: None)) == []

    def test_a_job_that_stops_beside_others_is_a_condition_of_its_own(self) -> None:
        hourly = commands([MONDAY + number * AN_HOUR for number in range(24 * 31)], "hourly")

        [found] = silences(commands(daily(range(29))), hourly, as_of=at(30, 23))

        assert (found.subject, found.severity) == ("job nightly", "normal")
        assert found.started_at == at(29, 6) + timedelta(minutes=7)
        assert found.evidence.startswith("the last invocation of this job was at 2026-11-02 06:09 UTC")

    def test_where_everything_is_silent_its_jobs_are_not_named_too(self) -> None:
        other = commands(daily(range(29), hour=12), "noon")

        found = silences(commands(daily(range(29))), other, as_of=at(33, 0))

        assert [each.subject for each in found] == ["silence"]

    @pytest.mark.parametrize("day", range(37, 44))
    def test_a_job_that_was_missed_already_makes_no_silence_of_dbt(self, day: int) -> None:
        morning, afternoon = commands(daily(range(35))), commands(daily(range(day), 16), "afternoon")

        found = silences(morning, afternoon, as_of=at(day, 15))

        assert [each.subject for each in found if each.holds] == ["job nightly"]
        assert sum(each.subject == "silence" for each in found) <= 1

    def test_a_silence_of_the_jobs_that_are_left_is_one_of_dbt(self) -> None:
        morning, afternoon = commands(daily(range(35))), commands(daily(range(40), 16), "afternoon")

        found = silences(morning, afternoon, as_of=at(42, 12))

        assert {each.subject for each in found if each.holds} == {"silence", "job nightly"}

    def test_a_job_whose_models_another_one_builds_is_not_missed(self) -> None:
        hourly = commands([MONDAY + number * AN_HOUR for number in range(24 * 31)], "hourly")
        nightly = commands(daily(range(29)))

        assert silences(nightly, hourly, as_of=at(30, 23), moved_at=at(29, 7)) == []
        [late] = silences(nightly, hourly, as_of=at(30, 23), moved_at=at(30, 20))
        assert late.ended_at == at(30, 20)


class TestChecks:
    CHECKS = daily(range(29))

    def stale(self, ran_until: int, *, is_good: bool = True, as_of: datetime | None = None) -> list[Condition]:
        checks = {("source.shop.raw", "SHOP.RAW.ORDERS"): [(time, is_good) for time in self.CHECKS]}
        return list(stale_checks(checks, daily(range(ran_until), hour=7), as_of or at(31, 0)))

    def test_a_good_check_that_is_not_repeated_while_dbt_runs_is_stale(self) -> None:
        [found] = self.stale(31)

        assert (found.kind, found.table, found.family) == ("source_freshness", "SHOP.RAW.ORDERS", "freshness")
        assert (found.state, found.severity) == ("not checked", "normal")
        assert found.title == "The freshness of SHOP.RAW.ORDERS was not checked after 2026-11-02 06:09 UTC"

    @pytest.mark.parametrize("missing", [3, 40, 75])
    def test_a_gap_is_the_same_for_as_long_as_it_is_shown(self, missing: int) -> None:
        """Of checks, 130 days are read, as DuckDB does it."""
        checks = [*daily(range(50)), *daily(range(50 + missing, 260))]
        ran = daily(range(260), hour=7)
        found = set()
        for day in range(51, 259):
            known = [check for check in checks if check <= at(day, 12)]
            read = [(check, True) for check in known if check >= known[-1] - timedelta(days=130)]
            source = {("source.shop.raw", "SHOP.RAW.ORDERS"): read}
            past = [time for time in ran if time <= at(day, 12)]
            found |= {(one.started_at, one.title) for one in stale_checks(source, past, at(day, 12))}

        assert len(found) == 1

    def test_a_check_that_was_not_good_says_so_itself(self) -> None:
        assert self.stale(31, is_good=False) == []

    def test_where_dbt_is_silent_nothing_else_is_said(self) -> None:
        assert self.stale(29) == []
