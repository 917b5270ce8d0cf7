"""Counts the tables with an open condition on each day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_elementary.times import in_utc

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.conditions import Condition
    from airflow_provider_elementary.incidents.tracking import Incident

DAYS = 30
#: Days of the trend of one table.
TREND_DAYS = 14
#: Height of the drawing, and the width of a day in it.
HEIGHT, STEP = 90, 12


@dataclass(frozen=True)
class HealthDay:
    """The health of one day.

    :param affected: number of tables with a condition that held on the day, by the worst severity of each.
    :param is_known: whether a sync covers the day; where none does, nothing is known to be good.
    """

    day: date
    affected: Mapping[str, int]
    is_known: bool

    @property
    def total(self) -> int:
        """Number of tables with a condition."""
        return sum(self.affected.values())


@dataclass(frozen=True)
class Segment:
    """A part of a day's bar in the drawing."""

    x: int
    y: float
    height: float
    severity: str


@dataclass(frozen=True)
class Health:
    """The health of the last days, the oldest first.

    :param severities: those that occur, the worst first.
    """

    days: tuple[HealthDay, ...]
    severities: tuple[str, ...]

    @property
    def conclusion(self) -> str:
        """The whole in a sentence."""
        known = [day for day in self.days if day.is_known]
        good = sum(not day.total for day in known)
        unknown = len(self.days) - len(known)
        text = f"{good} of {len(known)} known days without an open condition"
        return f"{text}; {unknown} not known" if unknown else text

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The bars of the drawing; a day of which nothing is known is one grey bar, a good day has none."""
        highest = max((day.total for day in self.days), default=0) or 1
        found = []
        for number, day in enumerate(self.days):
            x, y = number * STEP, float(HEIGHT)
            if not day.is_known:
                found.append(Segment(x, 0, HEIGHT, "unknown"))
            for severity in reversed(self.severities):
                height = HEIGHT * day.affected.get(severity, 0) / highest
                y -= height
                if height:
                    found.append(Segment(x, y, height, severity))
        return tuple(found)


def health_of(
    incidents: Sequence[Incident], *, known_from: datetime | None, known_until: datetime | None, today: date
) -> Health | None:
    """Return the health of the last days; None where nothing is known.

    :param known_from: when the first evidence was made; conditions before it extend it.
    :param known_until: when the newest evidence was made. The days end with today, or with this day where the
        evidence is older than all of them.
    """
    from airflow_provider_elementary.incidents.conditions import SEVERITIES

    conditions = [condition for incident in incidents for condition in incident.conditions]
    starts = [each for each in (known_from, *(condition.started_at for condition in conditions)) if each is not None]
    if known_until is None or not starts:
        return None
    first, last = min(map(_day, starts)), _day(known_until)
    end = today if today - last < timedelta(days=DAYS) else last
    worst = _worst_by_day(conditions, end - timedelta(days=DAYS - 1), last)
    days = []
    for number in range(DAYS):
        day = end - timedelta(days=DAYS - 1 - number)
        counts = Counter[str](SEVERITIES[place] for place in worst.get(day, {}).values())
        days.append(HealthDay(day, dict(counts), first <= day <= last))
    found = {severity for each in days for severity in each.affected}
    return Health(tuple(days), tuple(severity for severity in SEVERITIES if severity in found))


@dataclass(frozen=True)
class Trends:
    """The last days of every table.

    :param days: that are known, the oldest first.
    :param worst: by day and table, the worst severity of the conditions that held.
    """

    days: tuple[date, ...]
    worst: Mapping[date, Mapping[str, int]] = field(repr=False)

    def of(self, table: str) -> tuple[str, ...]:
        """Return of each day ``good`` or the worst severity of a condition of the table."""
        from airflow_provider_elementary.incidents.conditions import SEVERITIES

        places = (self.worst.get(day, {}).get(table) for day in self.days)
        return tuple("good" if place is None else SEVERITIES[place] for place in places)


def trends_of(incidents: Sequence[Incident], known_from: datetime | None, known_until: datetime) -> Trends:
    """Return the last days of every table up to the newest evidence.

    :param known_from: when the first evidence was made; conditions before it extend it.
    """
    conditions = [condition for incident in incidents for condition in incident.conditions]
    starts = [each for each in (known_from, *(condition.started_at for condition in conditions)) if each is not None]
    last = _day(known_until)
    first = max(min(map(_day, starts), default=last), last - timedelta(days=TREND_DAYS - 1))
    days = tuple(first + timedelta(days=number) for number in range((last - first).days + 1))
    return Trends(days, _worst_by_day(conditions, first, last))


def _worst_by_day(conditions: Iterable[Condition], first: date, last: date) -> Mapping[date, Mapping[str, int]]:
    """Return by day and table the place of the worst severity."""
    from airflow_provider_elementary.incidents.conditions import SEVERITIES

    worst: dict[date, dict[str, int]] = defaultdict(dict)
    for condition in conditions:
        over = min(_day(condition.ended_at) if condition.ended_at else last, last)
        place = SEVERITIES.index(condition.severity)
        day = max(_day(condition.started_at), first)
        while day <= over:
            worst[day][condition.table] = min(place, worst[day].get(condition.table, place))
            day += timedelta(days=1)
    return worst


def _day(when: datetime) -> date:
    return in_utc(when).date()
