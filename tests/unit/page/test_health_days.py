"""The health of the last days, from conditions whose ends are known."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.page.health_days import DAYS, Health, HealthDay, health_of, trends_of

TODAY = date(2026, 11, 30)


def condition(start: str, end: str | None, *, table: str = "A", severity: Any = "high") -> Condition:
    return Condition(
        kind="test",
        subject=f"test of {table} {start}",
        table=table,
        column=None,
        family="other",
        severity=severity,
        started_at=datetime.fromisoformat(start),
        last_seen=datetime.fromisoformat(end or start),
        ended_at=datetime.fromisoformat(end) if end else None,
        times=1,
        state="fail",
        title="a test failed",
        evidence="",
    )


def health(*conditions: Condition, until: str | None = "2026-11-30T06:00", since: str | None = "2026-11-01") -> Any:
    incidents = [Incident("1", "open", "opened", conditions, None)] if conditions else []
    known_until = datetime.fromisoformat(until) if until else None
    known_from = datetime.fromisoformat(since) if since else None
    return health_of(incidents, known_from=known_from, known_until=known_until, today=TODAY)


def on(found: Health, day: str) -> HealthDay:
    return next(each for each in found.days if each.day == date.fromisoformat(day))


def test_a_table_counts_on_each_day_on_which_a_condition_of_it_held() -> None:
    found = health(condition("2026-11-10T05:00", "2026-11-12T05:00"))

    affected = [each.day.day for each in found.days if each.total]

    assert affected == [10, 11, 12]
    assert on(found, "2026-11-11").affected == {"high": 1}


def test_a_condition_that_holds_counts_until_the_newest_evidence() -> None:
    found = health(condition("2026-11-26T05:00", None), until="2026-11-28T06:00")

    assert [each.day.day for each in found.days if each.total] == [26, 27, 28]


def test_a_table_counts_once_a_day_by_its_worst_severity() -> None:
    found = health(
        condition("2026-11-10", "2026-11-12", severity="normal"),
        condition("2026-11-11", "2026-11-11", severity="critical"),
        condition("2026-11-11", "2026-11-11", table="B", severity="low"),
    )

    assert on(found, "2026-11-10").affected == {"normal": 1}
    assert on(found, "2026-11-11").affected == {"critical": 1, "low": 1}
    assert found.severities == ("critical", "normal", "low")


def test_days_after_the_newest_evidence_are_not_known_and_never_good() -> None:
    found = health(until="2026-11-28T06:00")

    assert [each.day.day for each in found.days if not each.is_known] == [29, 30]
    assert found.conclusion == "28 of 28 known days without an open condition; 2 not known"


def test_days_before_the_first_evidence_are_not_known() -> None:
    found = health(since="2026-11-20")

    assert sum(each.is_known for each in found.days) == 11


def test_evidence_older_than_all_days_is_shown_as_of_its_own_last_day() -> None:
    found = health(since="2026-01-01", until="2026-09-15T06:00")

    assert (found.days[-1].day, len(found.days)) == (date(2026, 9, 15), DAYS)


@pytest.mark.parametrize(("since", "until"), [(None, "2026-11-30"), ("2026-11-01", None)])
def test_without_evidence_there_is_no_health(since: str | None, until: str | None) -> None:
    assert health(since=since, until=until) is None


def test_a_bar_is_as_high_as_its_tables_and_an_unknown_day_is_grey() -> None:
    found = health(
        condition("2026-11-10", "2026-11-10"),
        condition("2026-11-10", "2026-11-10", table="B", severity="low"),
        condition("2026-11-12", "2026-11-12"),
        until="2026-11-29",
    )

    drawn = [(part.severity, part.y, part.height) for part in found.segments]

    assert drawn == [("low", 45, 45), ("high", 0, 45), ("high", 45, 45), ("unknown", 0, 90)]


def test_the_trend_of_a_table_is_the_worst_severity_of_each_day_up_to_the_newest_evidence() -> None:
    conditions = (
        condition("2026-11-28T10:00", "2026-11-29T10:00", severity="normal"),
        condition("2026-11-29T12:00", None, severity="critical"),
    )
    until = datetime.fromisoformat("2026-11-30T06:00")

    trends = trends_of([Incident("1", "open", "opened", conditions, None)], datetime(2026, 11, 27), until)

    assert trends.of("A") == ("good", "normal", "critical", "critical")
    assert trends.of("B") == ("good", "good", "good", "good")
