"""Times keep their moment, whatever zone they come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_provider_elementary import times
from airflow_provider_elementary.page import rendering

NOON = datetime(2026, 11, 22, 12)
IN_DELHI = datetime(2026, 11, 22, 17, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))


@pytest.mark.parametrize("moment", [NOON, NOON.replace(tzinfo=UTC), IN_DELHI])
def test_a_time_of_any_zone_is_the_same_moment_in_utc(moment: datetime) -> None:
    assert times.in_utc(moment) == NOON.replace(tzinfo=UTC)
    assert times.without_zone(moment) == NOON


@pytest.mark.parametrize("moment", [NOON, NOON.replace(tzinfo=UTC), IN_DELHI])
def test_a_time_in_words_names_its_zone(moment: datetime) -> None:
    assert times.minute_in_utc(moment) == "2026-11-22 12:00 UTC"


@pytest.mark.parametrize("moment", [None, NOON, IN_DELHI])
def test_a_text_comes_back_as_the_time_that_it_was(moment: datetime | None) -> None:
    assert times.parse(times.iso(moment)) == moment


def test_of_several_times_those_that_are_known_count() -> None:
    later = NOON + timedelta(days=1)

    assert times.earliest(None, later, NOON) == NOON
    assert times.latest(None, later, NOON) == later
    assert times.earliest(None) is times.latest() is None


def test_now_has_no_zone() -> None:
    assert times.utc_now().tzinfo is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0001-01-01T00:00:00+01:00", datetime.min),
        ("0001-01-01T13:59:59+14:00", datetime.min),
        ("9999-12-31T23:59:59.999999-01:00", datetime.max),
        ("0001-01-01T00:00:00-01:00", datetime(1, 1, 1, 1)),
        ("9999-12-31T23:59:59+01:00", datetime(9999, 12, 31, 22, 59, 59)),
    ],
)
def test_a_time_that_utc_lacks_is_the_first_or_the_last_there_is(text: str, moment: datetime) -> None:
    read = datetime.fromisoformat(text)

    assert times.without_zone(read) == moment
    assert times.in_utc(read) == moment.replace(tzinfo=UTC)
    assert rendering.moment(read) == f"{moment:%Y-%m-%d %H:%M}"


def test_where_the_exact_time_counts_one_that_utc_lacks_is_an_error() -> None:
    assert times.exact_without_zone(IN_DELHI) == times.exact_without_zone(NOON) == NOON
    with pytest.raises(OverflowError):
        times.exact_without_zone(datetime.fromisoformat("0001-01-01T00:00:00+01:00"))
