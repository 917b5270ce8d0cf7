"""Counts how often alarms as high came in all tables."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies import explain
from airflow_provider_elementary.anomalies.robust.model.alarm_counts import STEPS, steps_of
from airflow_provider_elementary.anomalies.robust.model.transform import COUNT, DURATION, PERCENT, REAL, SUM, scale_kind
from airflow_provider_elementary.anomalies.robust.series import FREQUENCIES, frequency_of, seconds_of
from airflow_provider_elementary.anomalies.robust.state import SeriesStates
from airflow_provider_elementary.anomalies.schema import with_reasons
from airflow_provider_elementary.arrow_values import array_of_numbers, numpy_of, without_nulls

Floats = npt.NDArray[np.float64]

#: Metrics that are alike, in the order of their scales.
CLASSES = {COUNT: "counts", PERCENT: "percentages", DURATION: "durations", SUM: "sums", REAL: "other values"}
#: Days of history below which nothing is said.
_LEAST_DAYS = 14


@dataclass(frozen=True)
class AlarmTotals:
    """Verdicts and alarms of all series, by class of metric.

    :ivar scored: buckets with a verdict.
    :ivar flagged: shape (classes, steps).
    :ivar daily: buckets that come in a day.
    """

    scored: Floats
    flagged: Floats
    daily: Floats

    @classmethod
    def of_nothing(cls) -> AlarmTotals:
        """Return the totals of no series."""
        return cls(np.zeros(len(CLASSES)), np.zeros((len(CLASSES), len(STEPS))), np.zeros(len(CLASSES)))

    @classmethod
    def of(cls, states: SeriesStates) -> AlarmTotals:
        """Return the totals of some series."""
        totals, classes = cls.of_nothing(), _classes(states.keys)
        frequencies = numpy_of(states.keys["frequency"])
        for place, (frequency, detector) in enumerate(zip(FREQUENCIES, states.detectors, strict=True)):
            if not frequency.buckets_a_day:
                # A day has no whole number of such buckets, as of weeks.
                continue
            mine, alarms = classes[frequencies == place], detector.alarms
            np.add.at(totals.scored, mine, alarms.scored)
            np.add.at(totals.flagged, mine, alarms.flagged)
            np.add.at(totals.daily, mine, (alarms.scored > 0) * frequency.buckets_a_day)
        return totals

    def __add__(self, other: AlarmTotals) -> AlarmTotals:
        return AlarmTotals(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def with_rarity(
    verdicts: pa.Table, past: AlarmTotals, daily: Floats, days_per_alarm: float, *, is_shard: bool
) -> pa.Table:
    """Return verdicts whose reasons say how often an alarm as high came before, on one scale for all metrics.

    It is counted in the buckets of metrics of the same class that ended before the bucket began, and the number of
    these that come in a day. Of buckets of which a day has no whole number, or whose
    length is not known, nothing is said.

    :param past: what the states knew before the verdicts.
    :param daily: of each class, the buckets that come in a day.
    :param days_per_alarm: an alarm that came more often than once in this number of days is not raised; 0 for no limit.
    :param is_shard: the verdicts are those of one shard of the tables.
    """
    places = np.flatnonzero(numpy_of(verdicts["is_anomalous"]) & _is_of_days(verdicts))
    if not len(places):
        return verdicts
    depth, earlier = _before(verdicts, places, past, daily)
    classes = _classes(verdicts.take(array_of_numbers(places)))
    said = verdicts["reason"].take(array_of_numbers(places)).to_pylist()
    is_known = depth >= _LEAST_DAYS
    is_common = is_known & (depth < days_per_alarm * earlier)
    reasons = {}
    for place in np.flatnonzero(is_known):
        rarity = explain.rarity(
            float(depth[place]), int(earlier[place]), CLASSES[int(classes[place])], is_shard=is_shard
        )
        reasons[int(places[place])] = explain.too_common(rarity) if is_common[place] else f"{said[place]}; {rarity}"
    return with_reasons(verdicts, reasons, [int(place) for place in places[is_common]])


def _before(
    verdicts: pa.Table, places: npt.NDArray[np.int64], past: AlarmTotals, daily: Floats
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return the days of history before each flagged row, and how many alarms as high were in them."""
    classes, score, is_counted = _classes(verdicts), numpy_of(verdicts["score"]), _is_of_days(verdicts)
    start, end = _bounds(verdicts)
    depth, earlier = np.zeros(len(places)), np.zeros(len(places), np.int64)
    step = steps_of(score[places])
    for each in np.unique(classes[places]):
        mine = np.flatnonzero(classes[places] == each)
        began = start[places[mine]]
        ends = np.sort(end[(classes == each) & np.isfinite(score) & is_counted])
        scored = past.scored[each] + np.searchsorted(ends, began, side="right")
        depth[mine] = scored / max(daily[each], 1)
        for at in np.unique(step[mine]):
            as_high = np.sort(end[places[mine[step[mine] >= at]]])
            chosen = step[mine] == at
            before = np.searchsorted(as_high, began[chosen], side="right")
            earlier[mine[chosen]] = past.flagged[each, at] + before
    return depth, earlier


def _bounds(verdicts: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the start of each bucket, the end where it is not known, and the end."""
    end = seconds_of(verdicts["bucket_end"])
    start = seconds_of(verdicts["bucket_start"]) if "bucket_start" in verdicts.column_names else end
    return np.where(start >= 0, start, end), end


def _is_of_days(verdicts: pa.Table) -> npt.NDArray[np.bool_]:
    """Return of which rows it is known that a day has a whole number of their buckets, as :class:`AlarmTotals` does."""
    start, end = _bounds(verdicts)
    is_whole = np.array([frequency.buckets_a_day > 0 for frequency in FREQUENCIES])
    found: npt.NDArray[np.bool_] = is_whole[frequency_of(end - start)]
    return found


def _classes(rows: pa.Table) -> npt.NDArray[np.int64]:
    """Return the class of each row's metric."""
    names = pc.dictionary_encode(without_nulls(rows["metric_name"].cast(pa.string()), ""))
    encoded = names.unify_dictionaries().combine_chunks()
    kinds = np.array([scale_kind(name) for name in encoded.dictionary.to_pylist()], np.int64)
    return kinds[numpy_of(encoded.indices)] if len(kinds) else np.zeros(0, np.int64)
