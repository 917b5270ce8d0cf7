"""Scores one bucket of many series and learns from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.feedback import MUTED, NEW_NORMAL
from airflow_provider_elementary.anomalies.robust.model import ranges
from airflow_provider_elementary.anomalies.robust.model import transform as scales
from airflow_provider_elementary.anomalies.robust.model.alarm_counts import AlarmCounts
from airflow_provider_elementary.anomalies.robust.model.alternatives import Alternatives
from airflow_provider_elementary.anomalies.robust.model.bucket import (
    DRIFT,
    DROP,
    FROZEN,
    LATE,
    MISSING,
    SHIFT,
    SPIKE,
    ZEROS,
    Bucket,
    BucketVerdicts,
    Kinds,
)
from airflow_provider_elementary.anomalies.robust.model.calendar import HOLIDAY
from airflow_provider_elementary.anomalies.robust.model.conditions import as_configured, season_range
from airflow_provider_elementary.anomalies.robust.model.cooldown import Cooldown
from airflow_provider_elementary.anomalies.robust.model.drift import DriftSums
from airflow_provider_elementary.anomalies.robust.model.early import Early
from airflow_provider_elementary.anomalies.robust.model.events import Occurrence
from airflow_provider_elementary.anomalies.robust.model.evidence import Evidence, Flagged, Reading
from airflow_provider_elementary.anomalies.robust.model.forecast import Combined, Forecasts
from airflow_provider_elementary.anomalies.robust.model.granularity import Granularity
from airflow_provider_elementary.anomalies.robust.model.long_run import LongRun
from airflow_provider_elementary.anomalies.robust.model.parameters import Frequency, ModelParameters
from airflow_provider_elementary.anomalies.robust.model.repeats import Repeats
from airflow_provider_elementary.anomalies.robust.model.ring_buffer import History
from airflow_provider_elementary.anomalies.robust.model.tails import Tails, scales_of, surprise, two_sided

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: Belief in an event that a series never had: a missing bucket, a value where zero is the rule.
_FIRST_MISSING, _FIRST_LOAD = 0.01, 0.01
#: A flagged zero, or value where zero is the rule, says less of how often they come than an ordinary one.
_FLAGGED_ZERO_WEIGHT = 0.25
#: Least score of a bucket of a run that was flagged.
_STILL_OFF = 1.001
#: How many questions are asked of a bucket; the places of those of runs: missing, zeros, equal values.
_QUESTIONS, _RUNS, _EQUALS = 7, [1, 2, 4], 4
_SUNDAY = 6


@dataclass
class Detector:
    """The state of a set of series of one frequency; every array has one row per series.

    :ivar streak: flagged values in a row on one side, negative below.
    :ivar pending: the last values, should flagged ones turn out to be a new level.
    :ivar buckets: buckets seen, with or without a value.
    :ivar last_number: number of the last bucket seen.
    """

    units: scales.Units
    forecasts: Forecasts
    alternatives: Alternatives
    tails: Tails
    missing: Occurrence
    zero: Occurrence
    repeats: Repeats
    granularity: Granularity
    early: Early
    long_run: LongRun
    drift: DriftSums
    cooldown: Cooldown
    alarms: AlarmCounts
    streak: Floats
    pending: History
    buckets: Floats
    last_number: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, series: int, frequency: Frequency) -> Detector:
        """Return the state of series without a past."""
        return cls(
            units=scales.Units.empty(series, frequency.unit_from),
            forecasts=Forecasts.empty(series, frequency),
            alternatives=Alternatives.empty(series, frequency),
            tails=Tails.empty(series),
            missing=Occurrence.empty(series, frequency),
            zero=Occurrence.empty(series, frequency),
            repeats=Repeats.empty(series),
            granularity=Granularity.empty(series),
            early=Early.empty(series),
            long_run=LongRun.empty(series),
            drift=DriftSums.empty(series),
            cooldown=Cooldown.empty(series),
            alarms=AlarmCounts.empty(series),
            streak=np.zeros(series),
            pending=History.empty(series, frequency.new_level_after, np.float64, np.nan),
            buckets=np.zeros(series),
            last_number=np.full(series, -1, np.int64),
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return every array of the state by its dotted name; changing one changes the state."""
        return dict(_arrays(self, ""))

    def step(self, bucket: Bucket, frequency: Frequency, parameters: ModelParameters) -> BucketVerdicts:
        """Score one bucket of some series, then learn from it."""
        rows = bucket.rows
        self._skip(bucket)
        reading = self._read(bucket)
        evidence = self._weigh(bucket, reading, frequency, parameters)
        ready = self.buckets[rows] >= frequency.warm_up
        expected = scales.from_scale(evidence.forecast.value, bucket.kind, reading.unit)
        season = season_range(self.forecasts.values, bucket, frequency, reading.unit)
        age = self.alternatives.shift_age[rows]
        second = self.forecasts.second_opinion(
            rows, bucket.number, bucket.kind, age, reading.noise, bucket.settings.level, frequency, parameters
        )
        second = self.long_run.usual(
            second, rows, bucket.kind, evidence.forecast.value, bucket.settings.level, frequency, parameters
        )
        low, high = (scales.from_scale(y, bucket.kind, reading.unit) for y in second)
        usual = np.fmin(low, season[0]), np.fmax(high, season[1])
        scores = np.where(ready, self._scores(bucket, reading, evidence, frequency, parameters), 0)
        early = self._early(bucket, reading, frequency, ready)
        holiday = self.alternatives.holiday[rows]
        scores = as_configured(
            scores + early, bucket, reading, evidence, expected, usual, holiday, frequency, parameters
        )
        is_early = early.any(axis=0) & (scores > 1).any(axis=0)
        ready = ready | is_early
        scores = np.where(ready, scores, 0)
        value, gap, zero, load, run, repeat, drift = scores > 1
        flagged = Flagged(value, gap, zero, load, run | repeat, drift)
        shifted = self._new_level(rows, reading, evidence, flagged, frequency)
        shifted |= (bucket.mark == NEW_NORMAL) & evidence.is_sized
        kind = np.where(bucket.mark == MUTED, 0, self._kind(bucket, evidence, flagged, shifted, frequency))
        # Equal values for so long are the new normal: nothing more is said of them.
        is_normal = flagged.frozen & (kind == 0) & (evidence.repeat.length > frequency.accept_run_after)
        scores[_EQUALS] = np.where(is_normal, 0, scores[_EQUALS])
        # What was flagged of a run holds for all of it, however little one of its buckets surprises.
        off = self.cooldown.lasting(rows, evidence.repeat.length, frequency)
        scores[_RUNS] = np.maximum(scores[_RUNS], np.where(off, _STILL_OFF, 0))
        stated = replace(flagged, zero=flagged.zero | off[1], frozen=(flagged.frozen & ~is_normal) | off[2])
        lowest, highest = self._range(bucket, reading, evidence, expected, usual, stated, parameters, frequency)
        by_range = is_early & (early[0] > 0)
        lowest = np.where(by_range, self.early.lowest[rows], lowest)
        highest = np.where(by_range, self.early.highest[rows], highest)
        seen = np.where(by_range, self.early.values[rows], self.forecasts.combined_errors[rows])
        verdicts = BucketVerdicts(
            score=np.where(ready & (reading.is_sized | ~reading.known | reading.is_zero), scores.max(axis=0), np.nan),
            expected=np.where(ready, expected, np.nan),
            lowest=np.where(ready, lowest, np.nan),
            highest=np.where(ready, highest, np.nan),
            kind=np.where(bucket.mark == NEW_NORMAL, 0, kind).astype(np.int8),
            run=np.select(
                [gap, zero, flagged.frozen], [evidence.gap.length, evidence.none.length, evidence.repeat.length + 1], 1
            ).astype(np.int64),
            # Whether anything arrives is learned from all buckets, a size from those that had one.
            seen=np.where(gap | zero | load, self.buckets[rows], seen).astype(np.int64),
            usual=np.select(
                [gap, zero, load & ~value],
                [1 - evidence.missing.probability, 1 - evidence.zero.probability, evidence.zero.probability],
                np.nan,
            ),
        )
        self.cooldown.learn(rows, verdicts.kind > 0, frequency)
        self.alarms.learn(rows, verdicts.score, verdicts.kind > 0)
        if bucket.holiday == HOLIDAY:
            # One on a Sunday says nothing of what others are like.
            says_so = evidence.is_sized & (bucket.weekday != _SUNDAY)
            error = np.where(says_so, reading.y - evidence.forecast.value, np.nan)
            self.alternatives.learn_holiday(rows, error)
        else:
            self._learn(bucket, reading, evidence, flagged, frequency, parameters)
            self._move(bucket, reading, evidence, shifted, frequency)
        self.buckets[rows] += 1
        self.last_number[rows] = bucket.number
        return verdicts

    def _skip(self, bucket: Bucket) -> None:
        """Clear what the rings still hold of a turn ago where a series had no row for some buckets."""
        last = self.last_number[bucket.rows]
        late = bucket.number - last > 1
        if late.any():
            sizes = self.forecasts.values, self.alternatives.surprises, self.pending
            for ring in (*sizes, self.missing.seen, self.zero.seen):
                ring.skip(bucket.rows[late], last[late], bucket.number)

    def _read(self, bucket: Bucket) -> Reading:
        known = np.isfinite(bucket.value)
        value = np.where(known, bucket.value, 0)
        may_be_zero = known & scales.ZERO_IS_NO_SIZE[bucket.kind]
        is_zero = may_be_zero & (value == 0)
        is_first = bucket.is_volume & (self.units.known[bucket.rows] == 0)
        unit = self.units.update(bucket.rows, value, known & (value != 0))
        y = scales.to_scale(value, bucket.kind, unit)
        noise = self.granularity.observe(bucket.rows, value, bucket.kind, bucket.row_count)
        return Reading(y, unit, noise, known, may_be_zero, is_zero, known & ~is_zero, is_first)

    def _weigh(self, bucket: Bucket, reading: Reading, frequency: Frequency, parameters: ModelParameters) -> Evidence:
        rows, number = bucket.rows, bucket.number
        forecast = self.forecasts.predict(rows, number, bucket.kind, reading.noise, frequency)
        has_forecast = np.isfinite(forecast.value) & np.isfinite(forecast.scale)
        mixture = self.alternatives.mixture(
            bucket, forecast, self.forecasts.sundays(bucket, frequency), frequency, parameters
        )
        chance = mixture.probability(reading.y)
        is_sized = reading.is_sized & has_forecast
        size = np.where(is_sized, scales_of(surprise(np.where(is_sized, chance, 1)), parameters.degrees), 0)
        is_unknown = self.long_run.is_unknown(rows, bucket.kind, frequency, parameters)
        missing = self.missing.predict(rows, number, frequency, np.full(len(rows), _FIRST_MISSING), _FIRST_MISSING)
        first_zero = np.where(has_forecast, np.clip(mixture.probability_of_zero(), 1e-8, 0.3), 0.01)
        zero = self.zero.predict(rows, number, frequency, first_zero, _FIRST_LOAD)
        return Evidence(
            forecast=forecast,
            mixture=mixture,
            is_sized=is_sized,
            size=size,
            above=reading.y > forecast.value,
            missing=missing,
            gap=self.missing.observe(rows, missing, ~reading.known, np.ones(len(rows), bool)),
            zero=zero,
            none=self.zero.observe(rows, zero, reading.is_zero, reading.may_be_zero),
            repeat=self.repeats.observe(rows, bucket.value, reading.known, bucket.kind, forecast.scale),
            caution=self.cooldown.caution(rows, is_unknown, frequency, parameters),
            is_unknown=is_unknown,
            drift=self.drift.observe(
                rows,
                np.where(is_sized, (reading.y - forecast.value) / forecast.scale, 0),
                bucket.kind == scales.DURATION,
                parameters,
            ),
        )

    def _scores(
        self, bucket: Bucket, reading: Reading, evidence: Evidence, frequency: Frequency, parameters: ModelParameters
    ) -> Floats:
        """Return each question's surprise relative to the one at which it is flagged."""
        of_arrival = self.cooldown.caution_of_arrival(bucket.rows, bucket.kind, frequency, parameters)
        gap, none, repeat = evidence.gap, evidence.none, evidence.repeat
        value = self.tails.calibrate(bucket.rows, evidence.size, parameters) / (parameters.alarm + evidence.caution)
        value = np.maximum(value, evidence.size / self._most_scales(bucket, frequency, parameters))
        # Whether rows arrive in an hour is what counts say: of another metric, only a run of gaps is an event.
        one_gap = np.where((bucket.kind == scales.REAL) & frequency.is_short, 0, gap.one)
        again = repeat.repeated & (repeat.length > 1)
        # A single repeat counts only where its probability is known.
        once = repeat.repeated & (repeat.length == 1) & (bucket.kind == scales.COUNT)
        load = reading.may_be_zero & ~reading.is_zero & ~reading.is_first
        drifts = evidence.is_sized & (value <= 1)
        return np.stack(
            [
                np.where(evidence.is_sized, value, 0),
                np.maximum(
                    one_gap / (parameters.alarm_missing + of_arrival), gap.run / (parameters.alarm_run + of_arrival)
                ),
                np.maximum(
                    none.one / (parameters.alarm_zero + of_arrival), none.run / (parameters.alarm_run + of_arrival)
                ),
                np.where(load, none.absence / (parameters.alarm_load + evidence.caution), 0),
                np.where(again, repeat.run / (parameters.alarm_run + evidence.caution), 0),
                np.where(once, repeat.one / (parameters.alarm_repeat + evidence.caution), 0),
                np.where(drifts, evidence.drift.max(axis=1) / parameters.alarm_drift, 0),
            ]
        )

    def _most_scales(self, bucket: Bucket, frequency: Frequency, parameters: ModelParameters) -> Floats:
        """Return the size of an error, in scales, at which it is flagged however heavy the tail of its series."""
        is_vetoed = (bucket.kind == scales.REAL) & frequency.is_short & (parameters.long_run > 0)
        return np.where(is_vetoed & (parameters.most_scales > 0), parameters.most_scales, np.inf)

    def _early(self, bucket: Bucket, reading: Reading, frequency: Frequency, ready: Flags) -> Floats:
        """Return the scores of the series that are not ready: of what is beyond doubt alone."""
        scores = np.zeros((_QUESTIONS, len(ready)))
        if not ready.all():
            found = self.early.scores(bucket, reading.unit, reading.is_sized, reading.is_zero, frequency)
            scores[: len(found)] = np.where(ready, 0, found)
        return scores

    def _new_level(
        self, rows: Rows, reading: Reading, evidence: Evidence, flagged: Flagged, frequency: Frequency
    ) -> Flags:
        """Return the series whose last values, all flagged on one side, are a new level; carry the streaks on."""
        side = np.where(evidence.above, 1, -1)
        streak = np.where(np.sign(self.streak[rows]) == side, self.streak[rows], 0) + side
        streak = np.where(flagged.value, streak, np.where(evidence.is_sized, 0, self.streak[rows]))
        shifted: Flags = flagged.value & (np.abs(streak) >= frequency.new_level_after) & ~flagged.frozen & ~flagged.load
        self.streak[rows] = np.where(shifted, 0, streak)
        return shifted

    def _kind(
        self, bucket: Bucket, evidence: Evidence, flagged: Flagged, shifted: Flags, frequency: Frequency
    ) -> Kinds:
        # A run that lasts longer than what people said of it is flagged again.
        is_unsaid = bucket.mark == 0
        runs, lasting = flagged.runs & is_unsaid, (evidence.run_lengths > 1) & is_unsaid
        gap, zero, frozen = self.cooldown.run_starts(bucket.rows, runs, lasting, frequency)
        late = flagged.value & (bucket.kind == scales.DURATION)
        kinds = (
            (shifted, SHIFT),
            (late, LATE),
            (flagged.value & evidence.above, SPIKE),
            (flagged.value, DROP),
            (gap, MISSING),
            (zero & (evidence.none.length > 1), ZEROS),
            (zero, DROP),
            (flagged.load, SPIKE),
            (frozen, FROZEN),
            (flagged.drift, DRIFT),
        )
        return np.select([flags for flags, _ in kinds], [kind for _, kind in kinds], 0).astype(np.int8)

    def _range(
        self,
        bucket: Bucket,
        reading: Reading,
        evidence: Evidence,
        expected: Floats,
        usual: tuple[Floats, Floats],
        flagged: Flagged,
        parameters: ModelParameters,
        frequency: Frequency,
    ) -> tuple[Floats, Floats]:
        """Return the range outside of which a value is flagged, in the metric's own unit."""
        alarm = (parameters.alarm + evidence.caution) * bucket.settings.level
        reach = np.minimum(
            self.tails.reach(bucket.rows, alarm, parameters),
            self._most_scales(bucket, frequency, parameters) * bucket.settings.level,
        )
        bounds = evidence.mixture.range(two_sided(reach, parameters.degrees))
        low, high = (scales.from_scale(y, bucket.kind, reading.unit) for y in bounds)
        low, high = ranges.stated(bucket, expected, low, high, reading.unit, usual, flagged.value, parameters)
        return ranges.of_events(bucket, low, high, flagged)

    def _learn(
        self,
        bucket: Bucket,
        reading: Reading,
        evidence: Evidence,
        flagged: Flagged,
        frequency: Frequency,
        parameters: ModelParameters,
    ) -> None:
        """Take the bucket into account; what was flagged teaches no more than that it happened."""
        rows, number, forecast = bucket.rows, bucket.number, evidence.forecast
        gap, none, repeat, settled = evidence.gap, evidence.none, evidence.repeat, frequency.accept_run_after
        self.missing.learn(
            rows, number, evidence.missing, ~reading.known,
            np.select(
                [~flagged.gap | (gap.length > settled), gap.length <= 1], [1.0, parameters.missing_weight], 0.0
            ),
            frequency,
        )  # fmt: skip
        weight = np.select(
            [flagged.load, ~flagged.zero | (none.length > settled), none.length <= 1],
            [_FLAGGED_ZERO_WEIGHT, 1.0, _FLAGGED_ZERO_WEIGHT],
            0.0,
        )
        self.zero.learn(rows, number, evidence.zero, reading.is_zero, weight * reading.may_be_zero, frequency)
        ordinary = ~flagged.frozen | (repeat.length > settled)
        self.repeats.learn(rows, bucket.value, reading.known & ~reading.is_zero, repeat.repeated, ordinary)
        self.tails.learn(rows, evidence.size, evidence.is_sized, parameters)
        error = np.where(evidence.is_sized, reading.y - forecast.value, np.nan)
        self.alternatives.learn(rows, number, error, forecast.scale)
        learns = reading.is_sized & ~flagged.value & ~flagged.frozen & ~flagged.load
        self.drift.learn(rows, evidence.drift, learns & evidence.is_sized, parameters)
        self.long_run.learn(rows, reading.y, reading.known, error, frequency)
        self.early.learn(rows, bucket.value, learns, reading.is_zero)
        self.forecasts.learn(rows, number, reading.y, learns, forecast, bucket.settings, frequency, parameters)
        self.pending.put(rows, number, reading.y)

    def _move(self, bucket: Bucket, reading: Reading, evidence: Evidence, shifted: Flags, frequency: Frequency) -> None:
        """Take the last values of the shifted series for their new level."""
        if not shifted.any():
            return
        rows = bucket.rows[shifted]
        forecast = Combined(*(getattr(evidence.forecast, field.name)[shifted] for field in fields(evidence.forecast)))
        recent = self.pending.lags(rows, bucket.number, range(frequency.new_level_after - 1, -1, -1))
        self.forecasts.move(rows, bucket.number, recent, forecast, frequency)
        self.drift.restart(rows)
        self.alternatives.move(rows, reading.y[shifted] - forecast.value)


def _arrays(state: Any, prefix: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for field in fields(state):
        part = getattr(state, field.name)
        if is_dataclass(part):
            yield from _arrays(part, f"{prefix}{field.name}.")
        elif isinstance(part, np.ndarray):
            yield prefix + field.name, part
