"""Declares the model's parameters, and what differs between bucket frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from airflow_provider_elementary.anomalies.robust.model.calendar import dates_of, holiday_of, require_country
from airflow_provider_elementary.exceptions import ConfigurationError


@dataclass(frozen=True)
class Frequency:
    """What depends on how often a series has a bucket. All lengths are in buckets.

    :param name: hour, day, other, or some hours.
    :param seconds: length of a bucket; None where buckets have no fixed length.
    :param seasons: lags at which the series may repeat itself, the shortest first.
    :param season_lags: how many earlier cycles of each season make its forecast.
    :param profile: places of a cycle each of which has an offset of its own from a level; 0 for no such forecast.
    :param warm_up: buckets of history before the first verdict.
    :param error_window: buckets over which the size of the errors is averaged.
    :param skill_discount: per bucket, discount of an expert's past skill.
    :param rate_discount: per bucket, discount of the rate of missing and zero buckets.
    :param new_level_after: flagged buckets in a row on one side that make a new level.
    :param return_within: buckets during which a return to the level before the last shift is no surprise.
    :param accept_run_after: length of a run (missing, zero, frozen) that has become normal.
    :param unit_from: first values that fix the unit of a metric without a natural one.
    :param caution_per_alarm: added to the surprise at which a series is flagged for each alarm that it had lately.
    :param alarm_discount: per bucket, discount of an alarm.
    :param flagged_for: first buckets of a run that are flagged; those after them are not.
    """

    name: str
    seconds: int | None
    seasons: tuple[int, ...]
    season_lags: tuple[int, ...]
    profile: int
    warm_up: int
    error_window: int
    skill_discount: float
    rate_discount: float
    new_level_after: int
    return_within: int
    accept_run_after: int
    unit_from: int
    caution_per_alarm: float
    alarm_discount: float
    flagged_for: int

    @property
    def buckets_a_day(self) -> int:
        """How many buckets a day has; 0 where they have no fixed length."""
        return 86_400 // self.seconds if self.seconds else 0

    @property
    def is_short(self) -> bool:
        """Whether a day has several buckets."""
        return self.buckets_a_day > 1

    @property
    def second_opinion(self) -> int:
        """How many buckets back the second model looks: four weeks of days, two of hours."""
        return self.seasons[0] * self.season_lags[0] if self.seasons else 0

    @property
    def history(self) -> int:
        """How many buckets back the seasonal forecasts look."""
        return max([lag * cycles for lag, cycles in zip(self.seasons, self.season_lags, strict=True)], default=1)


DAILY = Frequency(
    name="day",
    seconds=86_400,
    seasons=(7,),
    season_lags=(4,),
    profile=7,
    warm_up=21,
    error_window=60,
    skill_discount=0.97,
    rate_discount=0.985,
    new_level_after=3,
    return_within=3,
    accept_run_after=28,
    unit_from=8,
    caution_per_alarm=0.8,
    alarm_discount=0.96,
    flagged_for=3,
)
HOURLY = Frequency(
    name="hour",
    seconds=3_600,
    seasons=(24, 168),
    season_lags=(14, 4),
    profile=0,
    warm_up=192,
    error_window=168,
    skill_discount=0.99,
    rate_discount=0.998,
    new_level_after=2,
    return_within=3,
    accept_run_after=168,
    unit_from=24,
    caution_per_alarm=1.0,
    alarm_discount=0.99,
    flagged_for=3,
)


def _of_hours(hours: int) -> Frequency:
    """Return what depends on how often a bucket comes, for buckets of some hours that divide a day."""
    a_day = 24 // hours
    return replace(
        HOURLY,
        name=f"{hours} hours",
        seconds=3_600 * hours,
        seasons=(a_day, 7 * a_day),
        warm_up=max(DAILY.warm_up, 8 * a_day),
        error_window=max(DAILY.error_window, 7 * a_day),
        skill_discount=0.98,
        rate_discount=0.993,
        new_level_after=3,
        accept_run_after=28,
        unit_from=max(DAILY.unit_from, a_day),
        caution_per_alarm=0.8,
        alarm_discount=0.95,
    )


#: Buckets of several hours that divide a day.
OF_HOURS = tuple(_of_hours(hours) for hours in (2, 3, 4, 6, 8, 12))
#: Rates: parts of a whole.
_SHARES = (
    "unexplained",
    "siblings",
    "missing_weight",
    "slow",
    "fast",
    "level_rate",
    "profile_level_rate",
    "profile_rate",
)
#: Ranges of the numbers. The doubts are parts of one probability, and the forecast needs most of it.
_MOST_DEGREES, _MOST_DOUBT, _MOST, _LEAST = 100, 0.25, 1e6, 1e-3

#: Buckets of another length, or points taken whenever a test ran: daily, but for the week.
OTHER = replace(DAILY, name="other", seconds=None, seasons=(), season_lags=(), profile=0)


@dataclass(frozen=True)
class ModelParameters:
    """Every number of the model that is a choice; surprises are in powers of ten (3 means one in a thousand).

    :param alarm: surprise of a value at which it is flagged, after the series' own tail is taken into account.
    :param alarm_missing: surprise of one missing bucket at which it is flagged.
    :param alarm_zero: surprise of one zero at which it is flagged.
    :param alarm_run: surprise of a whole run of missing, zero or equal values at which it is flagged.
    :param alarm_load: surprise of a value where zero is the rule.
    :param alarm_repeat: surprise of one value equal to the one before.
    :param alarm_drift: sum of errors on one side, in scales, at which a series has drifted.
    :param drift_allowance: taken off that sum every bucket, so that errors around zero add nothing.
    :param caution_unknown: added to all surprises where nothing is known of a metric's noise but its past.
    :param degrees: degrees of freedom of the errors of the combined forecast.
    :param expert_degrees: degrees of freedom by which the experts' skill is compared.
    :param doubt: total weight of the hypothesis that one single expert is right and the combination is not.
    :param doubt_again: weight of the hypothesis that the surprise of the same time of a day, week or month ago repeats.
        Without it a new weekly habit, flagged and so not learned, would be flagged forever.
    :param doubt_return: weight of the hypothesis that the level before the last shift is back.
    :param doubt_quiet: weight of the hypothesis that a working day is as quiet as the quietest day of the last week.
    :param agreement: scales of a second, simpler model by which a value must be out too: the last value, the medians of
        the same time of earlier cycles and of all of them, and how unlike two cycles are; 0 for no such model.
    :param most_scales: size of an error, in scales, that is flagged however heavy the tail of its series, where
        ``long_run`` sees it too; 0 for none.
    :param long_run: standard deviations of the last two weeks, incidents included, within which a bucket shorter than a
        day of a metric of unknown noise is not flagged; 0 for no such veto.
    :param unexplained: share of that spread, in variance, below which the forecast explains the series: then
        ``long_run`` counts the standard deviation of its errors and ``caution_unknown`` is 0; 0 for never.
    :param least_change_of_sum: share of the forecast by which a sum must be off where its test has no
        ``ignore_small_changes``; 0 for no such condition.
    :param siblings: share of the values of a table's dimension from which they are flagged once where they move to one
        side in a bucket; 0 for never.
    :param days_per_alarm: an alarm is not raised where alarms with a score as high came more often than once in this
        number of days among the metrics of its class; 0 for no limit.
    :param missing_weight: how much a flagged missing bucket teaches about the rate of missing buckets.
    :param slow: rate at which an expert's own recent error is followed, slowly.
    :param fast: the same, fast.
    :param level_rate: rate of the level.
    :param profile_level_rate: rate of the level that weekdays are held against.
    :param profile_rate: rate of a weekday's offset from it.
    :param clip: errors are clipped to this number of scales before the model learns from them.
    :param tail_from: size of an error, in scales, from which it belongs to the tail of its series.
    :param tail_shape: shape of the tail believed in before any is seen: Gauss's between two and four scales.
    :param tail_weight: worth, in buckets of the tail, of that belief.
    :param tail_weight_rate: worth, in buckets, of the belief that the tail is as frequent as Gauss's.
    :param tail_cap: largest contribution (natural logarithm) of one bucket to the shape of the tail.
    :param doubt_holiday: on a holiday, weight of each of the hypotheses that it is like the last Sundays, like earlier
        holidays, and as quiet as the quietest day of the last week.
    :param doubt_beside_holiday: the same on a day next to a holiday.
    :param doubt_quiet_with_calendar: ``doubt_quiet`` on all other days, where a calendar says which are holidays.
    :param holidays: dates, datetimes or ISO strings. A holiday teaches the model nothing but how holidays are.
    :param country: a country whose holidays are added, as in ``DE`` or ``DE-BY``; needs the extra ``holidays``.
    """

    alarm: float = 2.8
    alarm_missing: float = 2.0
    alarm_zero: float = 2.0
    alarm_run: float = 4.0
    alarm_load: float = 2.75
    alarm_repeat: float = 3.0
    alarm_drift: float = 11.0
    drift_allowance: float = 0.75
    caution_unknown: float = 0.8
    degrees: int = 40
    expert_degrees: int = 4
    doubt: float = 0.003
    doubt_again: float = 0.02
    doubt_return: float = 0.02
    doubt_quiet: float = 0.02
    agreement: float = 3.0
    most_scales: float = 10.0
    long_run: float = 3.25
    unexplained: float = 0.1
    least_change_of_sum: float = 0.25
    siblings: float = 0.3
    days_per_alarm: float = 0.0
    missing_weight: float = 0.25
    slow: float = 0.1
    fast: float = 0.4
    level_rate: float = 0.07
    profile_level_rate: float = 0.05
    profile_rate: float = 0.1
    clip: float = 3.0
    tail_from: float = 2.15
    tail_shape: float = 0.116
    tail_weight: float = 40.0
    tail_weight_rate: float = 300.0
    tail_cap: float = 1.0
    doubt_holiday: float = 0.2
    doubt_beside_holiday: float = 0.05
    doubt_quiet_with_calendar: float = 0.002
    holidays: Sequence[date] = ()
    country: str | None = None

    @classmethod
    def of(cls, given: dict[str, Any]) -> ModelParameters:
        """Return the defaults with the given ones put in.

        :raises ConfigurationError: a name is not a parameter, or a number does not fit.
        """
        known = [field.name for field in fields(cls)]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise ConfigurationError(
                f"method='robust' has no parameter {', '.join(map(repr, unknown))}. "
                f"Its parameters are: {', '.join(known)}."
            )
        if "holidays" in given:
            given = {**given, "holidays": dates_of(given["holidays"])}
        require_country(given.get("country"))
        for field in fields(cls):
            if field.name in given and field.name not in ("holidays", "country"):
                _require_number(field.name, given[field.name], is_whole=isinstance(field.default, int))
        parameters = cls(**given)
        if parameters.degrees % 2:
            raise ConfigurationError(f"degrees is {parameters.degrees}. Use an even number of at least 2.")
        return parameters

    @property
    def has_calendar(self) -> bool:
        """Whether it is known which days are holidays."""
        return bool(self.holidays or self.country)

    def holiday_of(self, day: date | None) -> int:
        """Return whether a day is a holiday; see :func:`~.calendar.holiday_of`."""
        return holiday_of(day, tuple(self.holidays), self.country)


def _require_number(name: str, value: Any, *, is_whole: bool) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if is_whole:
        if not is_number or value != int(value) or not 1 <= value <= _MOST_DEGREES:
            raise ConfigurationError(f"{name} is {value!r}. Use a whole number from 1 to {_MOST_DEGREES}.")
        return
    is_share = name.startswith("doubt") or name in _SHARES
    most = _MOST_DOUBT if name.startswith("doubt") else 1 if is_share else _MOST
    least = _LEAST if name.startswith(("alarm", "tail_from", "tail_shape", "tail_weight", "clip")) else 0
    if not is_number or not least <= value <= most:
        raise ConfigurationError(f"{name} is {value!r}. Use a number from {least:g} to {most:g}.")
