"""Decides which snapshots are kept, by the rules of restic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.times import MOST_DAYS

#: As a count: no limit.
ALL = -1


@dataclass(frozen=True)
class Rule:
    """A rule that keeps the newest snapshot of each of the last N buckets.

    :param bucket: what two snapshots of one bucket have in common, of the place from the newest and the time in UTC.
    :param suggested: the count that the example DAG's form suggests.
    :param description: what it keeps, in a sentence.
    :param is_common: whether the form shows it unfolded.
    """

    bucket: Callable[[int, datetime], object]
    suggested: int
    description: str
    is_common: bool = True


def _newest_of_each(bucket: str) -> str:
    return f"Keep the newest snapshot of each of the last N {bucket} that have one."


#: By name; each is an argument ``keep_<name>``. Forms and the command line are made of these rows.
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "last": Rule(lambda number, _: number, 24, "Keep the N newest snapshots."),
        "hourly": Rule(lambda _, time: (time.date(), time.hour), 48, _newest_of_each("hours"), is_common=False),
        "daily": Rule(lambda _, time: time.date(), 14, _newest_of_each("days")),
        "weekly": Rule(lambda _, time: time.isocalendar()[:2], 8, _newest_of_each("ISO weeks")),
        "monthly": Rule(lambda _, time: (time.year, time.month), 12, _newest_of_each("months")),
        "yearly": Rule(lambda _, time: time.year, ALL, _newest_of_each("years"), is_common=False),
    }
)


@dataclass(frozen=True)
class Retention:
    """How many snapshots to keep; a snapshot stays if any rule keeps it. Without a rule all of them stay.

    :param keep_last: this many of the newest.
    :param keep_hourly: the newest of each of the last N hours that have one; -1 for all hours.
    :param keep_daily: the same for days.
    :param keep_weekly: the same for ISO weeks.
    :param keep_monthly: the same for months.
    :param keep_yearly: the same for years.
    :param category_days: for a category, after how many days its data leaves the snapshots that are kept.
    :raises ConfigurationError: a count is below -1, days are below 1 or above 100,000, or a category is not known.
    """

    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    category_days: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if wrong := [f"keep_{rule}={count}" for rule, count in self.counts.items() if count < ALL]:
            raise ConfigurationError(
                f"{', '.join(wrong)} is not a count of snapshots to keep. Use 0 or more, or -1 for all."
            )
        try:
            days = {Category(name): int(number) for name, number in self.category_days.items()}
        except ValueError:
            raise ConfigurationError(
                f"Not days of categories: {', '.join(f'{name}={days}' for name, days in self.category_days.items())}. "
                f"Categories: {', '.join(category.value for category in Category)}."
            ) from None
        if wrong := [f"{category}={number}" for category, number in days.items() if not 1 <= number <= MOST_DAYS]:
            raise ConfigurationError(
                f"category_days has to be 1 or more, and at most {MOST_DAYS}: {', '.join(wrong)}. "
                "To take none of a category, leave it out of the snapshots."
            )
        object.__setattr__(self, "category_days", days)

    @property
    def counts(self) -> dict[str, int]:
        """How many to keep, by rule."""
        return {rule: getattr(self, f"keep_{rule}") for rule in RULES}

    @property
    def keeps_all(self) -> bool:
        """Whether no rule says which snapshots go."""
        return not any(self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the rules as JSON values, for the prune record."""
        days = {str(category): number for category, number in self.category_days.items()}
        return {**{f"keep_{rule}": count for rule, count in self.counts.items()}, "category_days": days}


def orphan_age(hours: float) -> timedelta:
    """Return how old files have to be that no snapshot names.

    :raises ConfigurationError: the hours are negative, no number, or more than any history has.
    """
    if not 0 <= hours <= MOST_DAYS * 24:
        raise ConfigurationError(f"orphan_hours is {hours:g}. Give 0 to {MOST_DAYS * 24}.")
    return timedelta(hours=hours)


def reasons_to_keep(
    times: Sequence[datetime], retention: Retention, epochs: Sequence[int] = ()
) -> list[tuple[str, ...]]:
    """Return why each snapshot is kept; those without a reason go.

    As in restic, a rule that has more to give than there are buckets also keeps the oldest snapshot, so that the
    history is as long as was asked for. The newest snapshot of each epoch stays: its source has its rows no more.

    :param times: when the snapshots were taken, UTC, the newest first.
    :param epochs: the epochs that they are of; without them, all are of one.
    """
    if retention.keeps_all:
        return [("no rule removes any",)] * len(times)
    left = retention.counts
    last: dict[str, object] = {}
    kept = []
    for number, time in enumerate(times):
        reasons = []
        for rule, facts in RULES.items():
            if not left[rule]:
                continue
            bucket = facts.bucket(number, time)
            is_new = rule not in last or bucket != last[rule]
            if is_new or number == len(times) - 1:
                reasons.append(rule if is_new else f"oldest {rule}")
                last[rule] = bucket
                if left[rule] > 0:
                    left[rule] -= 1
        if number and epochs and epochs[number] != epochs[number - 1]:
            reasons.append(f"last of epoch {epochs[number]}")
        kept.append(tuple(reasons))
    return kept
