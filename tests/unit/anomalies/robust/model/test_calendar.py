"""Holidays are read in any form, and compared with earlier holidays and Sundays."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from airflow_provider_elementary.anomalies import robust
from airflow_provider_elementary.exceptions import ConfigurationError
from tests.support.metric_series import daily, hourly

#: 2026-10-01 is a Thursday.
WEEK = (1000, 1010, 990, 300, 1005, 995, 1000)


def weekly(days: int) -> list[float | None]:
    wobble = np.random.default_rng(1).normal(1, 0.02, days)
    return [float(round(WEEK[day % 7] * wobble[day])) for day in range(days)]


def last_is_flagged(values: list[float | None], make: Any = daily, **parameters: Any) -> bool:
    return robust.score(make(values), **parameters)["is_anomalous"].to_pylist()[-1]


FRIDAY = [*weekly(64), 180.0]


@pytest.mark.parametrize(
    "holidays",
    [
        [date(2026, 12, 4)],
        ["2026-12-04"],
        ["2026-12-04T00:00:00"],
        [datetime(2026, 12, 4, 12)],
        (np.datetime64("2026-12-04"),),
        "2026-12-04",
    ],
)
def test_a_holiday_in_any_form_is_compared_with_sundays(holidays: Any) -> None:
    assert last_is_flagged(FRIDAY)
    assert not last_is_flagged(FRIDAY, holidays=holidays)


def test_a_spike_on_a_holiday_is_an_anomaly() -> None:
    assert last_is_flagged([*weekly(64), 4000.0], holidays=["2026-12-04"])


@pytest.mark.parametrize(("value", "flagged"), [(500.0, False), (60.0, True)])
def test_a_later_holiday_is_compared_with_the_one_before(value: float, flagged: bool) -> None:
    values = [*weekly(64), 490.0, *weekly(70)[65:], 0.0]
    values[-1] = value

    assert last_is_flagged(values, holidays=["2026-12-04", "2026-12-10"]) is flagged


def test_an_hour_of_a_holiday_is_compared_with_that_of_sundays() -> None:
    values = [WEEK[hour // 24 % 7] / 10 + hour % 24 + hour % 5 for hour in range(24 * 22 + 12)]
    values[-1] = 45.0

    assert last_is_flagged(values, hourly)
    assert not last_is_flagged(values, hourly, holidays=["2026-10-23"])


@pytest.mark.parametrize("holidays", [["yesterday"], [None], [20261204], [float("nan")], 5])
def test_a_holiday_that_is_no_date_is_refused(holidays: Any) -> None:
    with pytest.raises(ConfigurationError, match="is not a date"):
        robust.score(daily([1.0]), holidays=holidays)


def test_the_holidays_of_a_country_count() -> None:
    pytest.importorskip("holidays")
    christmas = [*weekly(85), 180.0]

    assert last_is_flagged(christmas)
    assert not last_is_flagged(christmas, country="DE")
    assert not last_is_flagged(christmas, country="de-by")


@pytest.mark.parametrize("country", ["Atlantis", "DE-XX", 7])
def test_an_unknown_country_is_refused(country: Any) -> None:
    pytest.importorskip("holidays")

    with pytest.raises(ConfigurationError, match="country"):
        robust.score(daily([1.0]), country=country)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alarm": float("nan")}, "alarm is nan"),
        ({"alarm": "3"}, "alarm is '3'"),
        ({"alarm": True}, "alarm is True"),
        ({"alarm": 0}, "alarm is 0"),
        ({"alarm": -1.0}, "alarm is -1.0"),
        ({"doubt": 0.9}, "doubt is 0.9"),
        ({"slow": 1.5}, "slow is 1.5"),
        ({"degrees": 4.5}, "degrees is 4.5"),
        ({"degrees": float("inf")}, "degrees is inf"),
        ({"tail_weight": None}, "tail_weight is None"),
    ],
)
def test_a_parameter_out_of_range_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        robust.score(daily([1.0]), **parameters)
