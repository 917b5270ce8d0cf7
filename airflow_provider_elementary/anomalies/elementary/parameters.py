"""Declares and validates the parameters of Elementary's anomaly tests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_elementary.exceptions import ConfigurationError

DIRECTIONS = ("both", "spike", "drop")
PERIODS = ("hour", "day", "week", "month")
#: Days in a period, as Elementary converts it: a month has 30.
_DAYS: Mapping[str, float] = {"hour": 1 / 24, "day": 1, "week": 7, "month": 30}
#: No count of a configuration is larger, so that its times stay within what a timestamp holds.
_MOST = 20_000

#: The time bucket that a seasonality needs, and by how much it stretches the training period.
SEASONALITIES: Mapping[str, tuple[str, int]] = {
    "day_of_week": ("day", 7),
    "hour_of_day": ("hour", 1),
    "hour_of_week": ("hour", 7),
}

#: Every argument that has an effect, by Elementary's name.
ARGUMENTS = frozenset(
    {
        "anomaly_sensitivity",
        "sensitivity",
        "anomaly_direction",
        "training_period",
        "days_back",
        "detection_period",
        "backfill_days",
        "time_bucket",
        "seasonality",
        "ignore_small_changes",
        "fail_on_zero",
        "min_value",
        "detection_delay",
        "anomaly_exclude_metrics",
        "exclude_detection_period_from_training",
    }
)

#: Accepted wherever Elementary accepts them, without effect on a verdict.
IGNORED = frozenset({"min_training_set_size", "timestamp_column", "where_expression", "column_anomalies", "dimensions"})


@dataclass(frozen=True)
class PeriodCount:
    """A number of hours, days, weeks or months.

    :param period: one of :data:`PERIODS`.
    :param count: how many of them.
    """

    period: str
    count: int

    @property
    def days(self) -> int:
        """Whole days, rounded up, as Elementary converts periods."""
        return math.ceil(round(self.count * _DAYS[self.period], 9))

    @property
    def microseconds(self) -> int:
        """How long it is; of months, which differ, how long Elementary takes them to be."""
        return round(self.count * _DAYS[self.period] * 24) * 3_600_000_000


@dataclass(frozen=True)
class AnomalyTestParameters:
    """One resolved configuration of an anomaly test.

    :param anomaly_sensitivity: how many standard deviations from the average are still normal.
    :param anomaly_direction: ``both``, ``spike`` or ``drop``.
    :param days_back: the training window in days, already stretched by the seasonality.
    :param backfill_days: the detection period in days: only buckets that end in it can be anomalous.
    :param time_bucket: the size of a bucket.
    :param seasonality: None, or which buckets are compared with each other.
    :param spike_percent: a spike must also be this many percent above the average; None for no such condition.
    :param drop_percent: a drop must also be this many percent below the average; None for no such condition.
    :param fail_on_zero: a scored value of 0 is anomalous whatever its score.
    :param min_value: values below it are never anomalous, zeros under ``fail_on_zero`` excepted.
    :param detection_delay: how long before the run the last scored bucket ends.
    :param anomaly_exclude_metrics: an SQL predicate; buckets for which it holds are neither scored nor trained on.
    :param exclude_detection_period_from_training: train only on buckets that end before the detection period.
    """

    anomaly_sensitivity: float = 3
    anomaly_direction: str = "both"
    days_back: int = 14
    backfill_days: int = 2
    time_bucket: PeriodCount = PeriodCount("day", 1)
    seasonality: str | None = None
    spike_percent: float | None = None
    drop_percent: float | None = None
    fail_on_zero: bool = False
    min_value: float | None = None
    detection_delay: timedelta = timedelta()
    anomaly_exclude_metrics: str | None = None
    exclude_detection_period_from_training: bool = False

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> AnomalyTestParameters:
        """Resolve a test's arguments as Elementary does: its names, its aliases, its defaults.

        :param arguments: ``training_period`` and ``detection_period`` (``{"period": "day", "count": 14}``) or
            ``days_back`` and ``backfill_days``, and the others by Elementary's names; None means not given.
        :raises ConfigurationError: an argument is unknown, or its value is none that Elementary accepts.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        unknown = sorted(set(given) - ARGUMENTS - IGNORED)
        if unknown:
            raise ConfigurationError(
                f"Elementary's anomaly tests have no parameter {', '.join(map(repr, unknown))}. "
                f"Their parameters are: {', '.join(sorted(ARGUMENTS | IGNORED))}."
            )
        time_bucket = _period("time_bucket", given.get("time_bucket")) or PeriodCount("day", 1)
        seasonality = _seasonality(given.get("seasonality"), time_bucket)
        training = _period("training_period", given.get("training_period"))
        detection = _period("detection_period", given.get("detection_period"))
        days_back = training.days if training else whole("days_back", given.get("days_back", 14))
        backfill_days = detection.days if detection else whole("backfill_days", given.get("backfill_days", 2))
        stretch = SEASONALITIES[seasonality][1] if seasonality else 1
        final = {**given, "days_back": days_back * stretch, "backfill_days": max(backfill_days, time_bucket.days)}
        return _resolve(final, time_bucket, seasonality)

    @classmethod
    def from_test_params(cls, params: Mapping[str, Any]) -> AnomalyTestParameters:
        """Read ``elementary_test_results.test_params``, where periods are days already and nothing is defaulted.

        :raises ConfigurationError: the configuration is not resolved, or a value is none that Elementary accepts.
        """
        missing = [
            name for name in ("anomaly_sensitivity", "anomaly_direction", "days_back") if params.get(name) is None
        ]
        if missing:
            raise ConfigurationError(
                f"The configuration in test_params is not resolved: it lacks {', '.join(missing)}. "
                "Elementary stores a resolved one only with verdicts that it wrote itself."
            )
        given = {name: value for name, value in params.items() if value is not None}
        time_bucket = _period("time_bucket", given.get("time_bucket")) or PeriodCount("day", 1)
        return _resolve(given, time_bucket, _seasonality(given.get("seasonality"), time_bucket))


def _resolve(given: Mapping[str, Any], time_bucket: PeriodCount, seasonality: str | None) -> AnomalyTestParameters:
    direction = str(given.get("anomaly_direction", "both")).lower()
    if direction not in DIRECTIONS:
        raise ConfigurationError(f"anomaly_direction {direction!r} is unknown. Use one of {', '.join(DIRECTIONS)}.")
    sensitivity = _number("anomaly_sensitivity", given.get("sensitivity") or given.get("anomaly_sensitivity", 3))
    small_changes = given.get("ignore_small_changes") or {}
    if not isinstance(small_changes, Mapping):
        raise ConfigurationError(
            'ignore_small_changes is not a mapping. Write it as {"spike_failure_percent_threshold": 10}.'
        )
    delay = _period("detection_delay", given.get("detection_delay")) or PeriodCount("hour", 0)
    return AnomalyTestParameters(
        anomaly_sensitivity=sensitivity,
        anomaly_direction=direction,
        days_back=whole("days_back", given.get("days_back", 14)),
        backfill_days=whole("backfill_days", given.get("backfill_days", 2)),
        time_bucket=time_bucket,
        seasonality=seasonality,
        # A threshold of 0 is no threshold: the package tests it for truth.
        spike_percent=_number_or_none("ignore_small_changes", small_changes.get("spike_failure_percent_threshold")),
        drop_percent=_number_or_none("ignore_small_changes", small_changes.get("drop_failure_percent_threshold")),
        fail_on_zero=_truth(given.get("fail_on_zero")),
        min_value=None if given.get("min_value") is None else _number("min_value", given["min_value"]),
        detection_delay=timedelta(hours=round(delay.count * _DAYS[delay.period] * 24)),
        anomaly_exclude_metrics=given.get("anomaly_exclude_metrics") or None,
        exclude_detection_period_from_training=_truth(given.get("exclude_detection_period_from_training")),
    )


def _seasonality(value: Any, time_bucket: PeriodCount) -> str | None:
    if not value:
        return None
    seasonality = str(value).lower()
    if seasonality not in SEASONALITIES:
        raise ConfigurationError(f"seasonality {seasonality!r} is unknown. Use one of {', '.join(SEASONALITIES)}.")
    needed = SEASONALITIES[seasonality][0]
    if time_bucket != PeriodCount(needed, 1):
        raise ConfigurationError(
            f"seasonality {seasonality} does not fit a time_bucket of {time_bucket.count} {time_bucket.period}. "
            f"Use a time_bucket of 1 {needed}."
        )
    # The package accepts it in any case, and then knows it in lower case only.
    return seasonality if value == seasonality else None


def _period(name: str, value: Any) -> PeriodCount | None:
    if not value:
        return None
    if not isinstance(value, Mapping) or not set(value) <= {"period", "count"}:
        raise ConfigurationError(f'{name} is not a period. Write it as {{"period": "day", "count": 1}}.')
    period = value.get("period") or "day"
    if period not in PERIODS:
        raise ConfigurationError(f"{name} has the unknown period {period!r}. Use one of {', '.join(PERIODS)}.")
    count = value.get("count")
    number = 1 if count is None else whole(name, count)
    if name == "time_bucket" and not number:
        raise ConfigurationError("time_bucket has a count of 0. Use at least 1 hour.")
    return PeriodCount(period, number)


def whole(name: str, value: Any) -> int:
    """Return a count of days or buckets.

    :raises ConfigurationError: it is no number, or out of range.
    """
    number = int(_number(name, value))
    if number > _MOST:
        raise ConfigurationError(f"{name} is {number:,}. Use at most {_MOST:,}.")
    return number


def _number(name: str, value: Any) -> float:
    try:
        number = float("" if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigurationError(f"{name} is {type(value).__name__} {value!r}. Use a number.") from None
    if not math.isfinite(number) or number < 0:
        raise ConfigurationError(f"{name} is {number}. Use a number of at least 0.")
    return number


def _number_or_none(name: str, value: Any) -> float | None:
    return _number(name, value) or None if value is not None else None


def _truth(value: Any) -> bool:
    """Return whether Elementary's templates treat a value as true: any text but an empty one, even "false"."""
    return bool(value)
