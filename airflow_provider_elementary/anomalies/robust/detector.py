"""The detector: the state of many series, and the step that judges one bucket of them and learns from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust import scales
from airflow_provider_elementary.anomalies.robust.forecasts import Combined, Forecasts
from airflow_provider_elementary.anomalies.robust.history import History, median
from airflow_provider_elementary.anomalies.robust.hypotheses import Hypotheses
from airflow_provider_elementary.anomalies.robust.occurrence import Occurrence
from airflow_provider_elementary.anomalies.robust.parameters import Parameters, Rhythm
from airflow_provider_elementary.anomalies.robust.tails import Tails, scales_of, surprise

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: What a flagged bucket is, in the order of :data:`KINDS`; 0 is nothing unusual.
SPIKE, DROP, LATE, SHIFT, MISSING, ZERO, ZEROS, FROZEN = range(1, 9)
TW = 0.5
REPORT = {"hour": 6, "day": 7, "other": 7}
KINDS = (None, "spike", "drop", "late", "level shift", "missing bucket", "drop", "run of zeros", "frozen")

#: Belief in an event that a series never had: a missing bucket, a value where zero is the rule, a repeated value.
_FIRST_MISSING, _FIRST_LOAD, _FIRST_REPEAT = 0.01, 0.01, 0.02
#: A flagged zero says less about the rate of zeros than an ordinary one: it may be an incident.
_FLAGGED_ZERO_WEIGHT = 0.25
#: A repeat more likely than this adds nothing to the surprise of a run.
_COMMON = 0.6


@dataclass
class Judgement:
    """One bucket's verdicts, an array per column, and what their sentences need.

    :ivar score: surprise relative to the bar at which it is flagged: above 1 is anomalous; NaN without a verdict.
    :ivar run: length of the run of missing, zero or equal values.
    :ivar seen: values that the forecast was made from.
    """

    score: Floats
    expected: Floats
    lowest: Floats
    highest: Floats
    kind: npt.NDArray[np.int8]
    run: Floats
    seen: npt.NDArray[np.int64]


@dataclass
class Detector:
    """Everything that is remembered of a set of series of one rhythm; every array has one row per series.

    :ivar unit, units: typical size of the values, from the first ``rhythm.unit_from`` of them.
    :ivar streak: flagged values in a row on one side, negative below.
    :ivar pending: the last flagged values, should they turn out to be a new level.
    :ivar repeats, values, repeat_run, repeat_length, last_value: how often a value equals the one before.
    :ivar buckets: buckets seen, with or without a value.
    :ivar last_number: number of the last bucket seen.
    """

    forecasts: Forecasts
    hypotheses: Hypotheses
    tails: Tails
    missing: Occurrence
    zero: Occurrence
    first_values: Floats
    units: Floats
    streak: Floats
    pending: History
    repeats: Floats
    values: Floats
    repeat_run: Floats
    repeat_length: Floats
    last_value: Floats
    flag_gap: Floats
    flag_zero: Floats
    flag_froz: Floats
    buckets: Floats
    last_number: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, series: int, rhythm: Rhythm) -> Detector:
        """Return the state of series without a past."""
        zeros = lambda: np.zeros(series)  # noqa: E731
        return cls(
            forecasts=Forecasts.empty(series, rhythm),
            hypotheses=Hypotheses.empty(series, rhythm),
            tails=Tails.empty(series),
            missing=Occurrence.empty(series, rhythm),
            zero=Occurrence.empty(series, rhythm),
            first_values=np.full((series, rhythm.unit_from), np.nan),
            units=zeros(),
            streak=zeros(),
            pending=History.empty(series, rhythm.new_level_after, np.float64, np.nan),
            repeats=zeros(),
            values=zeros(),
            repeat_run=zeros(),
            repeat_length=zeros(),
            last_value=np.full(series, np.nan),
            flag_gap=zeros(),
            flag_zero=zeros(),
            flag_froz=zeros(),
            buckets=zeros(),
            last_number=np.full(series, np.iinfo(np.int64).min // 2),
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return every array of the state by its dotted name; changing one changes the state."""
        return dict(_arrays(self, ""))

    def step(
        self,
        rows: Rows,
        number: int,
        value: Floats,
        kind: npt.NDArray[np.int8],
        rhythm: Rhythm,
        p: Parameters,
        day: date | None = None,
    ) -> Judgement:
        """Judge one bucket of some series, then learn from it.

        :param rows: the series, each at most once.
        :param number: the bucket's number, the same for all.
        :param value: NaN for a bucket without a value.
        :param kind: scale of each series' metric.
        :param day: the bucket's date, for daily series.
        """
        self._skip(rows, number)
        known = np.isfinite(value)
        counts_zero = (kind == scales.COUNT) | (kind == scales.SUM) | (kind == scales.REAL)
        is_zero = known & counts_zero & (value == 0)
        unit = self._unit(rows, value, known & (value != 0))
        y = scales.to_scale(np.where(known, value, 0), kind, unit)

        forecast = self.forecasts.predict(rows, number, kind, rhythm, p)
        judged = known & ~is_zero & np.isfinite(forecast.value) & np.isfinite(forecast.scale)
        probability, as_low_as_zero = self.hypotheses.probability(rows, y, forecast, day, number, kind, rhythm, p)
        size = np.where(judged, scales_of(surprise(np.where(judged, probability, 1)), p.degrees), 0)
        above = y > forecast.value

        missing = self.missing.predict(rows, number, rhythm, _FIRST_MISSING, _FIRST_MISSING)
        gap = self.missing.observe(rows, missing, ~known, np.ones(len(rows), bool))
        has_forecast = np.isfinite(forecast.value) & np.isfinite(forecast.scale)
        first_zero = np.where(has_forecast, np.clip(as_low_as_zero, 1e-8, 0.3), 0.01)
        zero = self.zero.predict(rows, number, rhythm, first_zero, _FIRST_LOAD)
        none = self.zero.observe(rows, zero, is_zero, known & counts_zero)
        repeated = known & ~is_zero & (value == self.last_value[rows])
        one_repeat = self._repeat(rows, value, known, repeated, kind, forecast.scale)

        scores = np.stack(
            [
                np.where(judged, self.tails.calibrate(rows, size, p) / p.alarm, 0),
                np.maximum(gap.one / p.alarm_missing, gap.run / p.alarm_run),
                np.where(is_zero, np.maximum(none.one / p.alarm_zero, none.run / p.alarm_run), 0),
                np.where(known & counts_zero & ~is_zero, none.absence / p.alarm_load, 0),
                np.where(repeated & (self.repeat_length[rows] > 1), self.repeat_run[rows] / p.alarm_run, 0),
                np.where(
                    repeated & (kind == scales.COUNT) & (self.repeat_length[rows] == 1), one_repeat / p.alarm_repeat, 0
                ),
            ]
        )
        holiday = day is not None and day in p.holidays
        ready = (self.buckets[rows] >= rhythm.warm_up) & (not holiday)
        scores = np.where(ready, scores, 0)
        value_flag, gap_flag, zero_flag, load_flag, frozen_flag, repeat_flag = scores > 1
        frozen_flag = frozen_flag | repeat_flag
        gap_over, zero_over = gap_flag, zero_flag
        self.flag_gap[rows] = np.where(gap_flag, self.flag_gap[rows] + 1, 0)
        self.flag_zero[rows] = np.where(zero_flag, self.flag_zero[rows] + 1, 0)
        self.flag_froz[rows] = np.where(frozen_flag, self.flag_froz[rows] + 1, 0)
        show_gap = gap_flag & (self.flag_gap[rows] <= REPORT[rhythm.name])
        show_zero = zero_flag & (self.flag_zero[rows] <= REPORT[rhythm.name])
        show_froz = frozen_flag & (self.flag_froz[rows] <= REPORT[rhythm.name])

        streak = np.where(np.sign(self.streak[rows]) == np.where(above, 1, -1), self.streak[rows], 0)
        streak = np.where(value_flag, streak + np.where(above, 1, -1), np.where(judged, 0, self.streak[rows]))
        shifted = value_flag & (np.abs(streak) >= rhythm.new_level_after) & ~frozen_flag & ~load_flag
        self.streak[rows] = np.where(shifted, 0, streak)
        self.pending.put(rows, number, y)

        verdict = np.select(
            [shifted, value_flag & (kind == scales.DURATION), value_flag & above, value_flag, show_gap,
             show_zero & (none.length > 1), show_zero, load_flag, show_froz],
            [SHIFT, LATE, SPIKE, DROP, MISSING, ZEROS, ZERO, SPIKE, FROZEN],
            0,
        ).astype(np.int8)  # fmt: skip
        judgement = Judgement(
            score=np.where(ready & (judged | ~known | is_zero), scores.max(axis=0), np.nan),
            **self._range(rows, forecast, kind, unit, p),
            kind=verdict,
            run=np.select(
                [gap_flag, zero_flag, frozen_flag], [gap.length, none.length, self.repeat_length[rows] + 1], 1
            ),
            seen=self.forecasts.combined_errors[rows].astype(np.int64),
        )

        rate = 0.0 if holiday else 1.0
        learns = known & ~is_zero & ~frozen_flag & ~load_flag & ~value_flag & (not holiday)
        settled = gap.length > rhythm.accept_run_after
        self.missing.learn(
            rows, number, missing, ~known, rate * np.where(~gap_flag | settled | (gap.length <= 1), 1.0, 0.0), rhythm
        )
        weight = np.where(zero_flag, np.where(none.length > rhythm.accept_run_after, 1.0,
                          np.where(none.length <= 1, _FLAGGED_ZERO_WEIGHT, 0.0)), 1.0)  # fmt: skip
        self.zero.learn(rows, number, zero, is_zero, rate * weight * (known & counts_zero & ~load_flag), rhythm)
        self._learn_repeats(rows, value, known & ~is_zero, repeated, frozen_flag, rhythm)
        half_warm = self.buckets[rows] + 1 >= rhythm.warm_up * TW
        self.tails.learn(rows, size, judged & half_warm & (not holiday), p)
        self.hypotheses.learn(rows, number, np.where(judged, y - forecast.value, np.nan), forecast.scale)
        self.forecasts.learn(rows, number, y, learns, forecast, rhythm, p)
        if shifted.any():
            self._shift(rows[shifted], number, y[shifted], forecast, shifted, rhythm)
        self.buckets[rows] += 1
        self.last_number[rows] = number
        return judgement

    def _skip(self, rows: Rows, number: int) -> None:
        """Clear what the rings still hold of a turn ago where a series had no row for some buckets."""
        last = self.last_number[rows]
        late = number - last > 1
        if late.any():
            for ring in (
                self.forecasts.values,
                self.hypotheses.surprises,
                self.missing.seen,
                self.zero.seen,
                self.pending,
            ):
                ring.skip(rows[late], last[late], number)

    def _unit(self, rows: Rows, value: Floats, usable: Flags) -> Floats:
        """Return the typical size of each series' first values."""
        count = self.units[rows].astype(int)
        room = usable & (count < self.first_values.shape[1])
        self.first_values[rows[room], count[room]] = np.abs(value[room])
        self.units[rows] += room
        first = self.first_values[rows]
        unit = median(first)
        return np.where(np.isfinite(unit), unit, 1.0)

    def _repeat(
        self, rows: Rows, value: Floats, known: Flags, repeated: Flags, kind: npt.NDArray[np.int8], scale: Floats
    ) -> Floats:
        """Carry the run of equal values on; return the surprise of one more."""
        rate = (self.repeats[rows] + _FIRST_REPEAT) / (self.values[rows] + 1)
        probability = np.maximum(rate, scales.chance_of_repeat(np.where(known, value, 0), kind, scale))
        one = surprise(probability)
        run = self.repeat_run[rows] + np.where(probability < _COMMON, one, 0)
        self.repeat_run[rows] = np.where(known, np.where(repeated, run, 0), self.repeat_run[rows])
        self.repeat_length[rows] = np.where(
            known, np.where(repeated, self.repeat_length[rows] + 1, 0), self.repeat_length[rows]
        )
        return one

    def _learn_repeats(
        self, rows: Rows, value: Floats, known: Flags, repeated: Flags, flagged: Flags, rhythm: Rhythm
    ) -> None:
        learns = known & np.isfinite(self.last_value[rows])
        learns &= ~flagged | (self.repeat_length[rows] > rhythm.accept_run_after)
        self.values[rows] += learns
        self.repeats[rows] += learns & repeated
        self.last_value[rows] = np.where(known, value, self.last_value[rows])

    def _shift(self, rows: Rows, number: int, y: Floats, forecast: Combined, shifted: Flags, rhythm: Rhythm) -> None:
        """Take the flagged values for a new level."""
        recent = self.pending.lags(rows, number, range(rhythm.new_level_after - 1, -1, -1))
        only = Combined(*(getattr(forecast, field.name)[shifted] for field in fields(forecast)))
        self.forecasts.move(rows, number, recent, only)
        self.hypotheses.move(rows, y - only.value)

    def _range(
        self, rows: Rows, forecast: Combined, kind: npt.NDArray[np.int8], unit: Floats, p: Parameters
    ) -> dict[str, Floats]:
        """Return the expected value and the range outside of which a value is flagged, in the metric's own unit."""
        reach = self.tails.reach(rows, p) * forecast.scale
        expected = {
            "expected": scales.from_scale(forecast.value, kind, unit),
            "lowest": scales.from_scale(forecast.value - reach, kind, unit),
            "highest": scales.from_scale(forecast.value + reach, kind, unit),
        }
        expected["lowest"] = np.where(kind == scales.DURATION, np.nan, expected["lowest"])
        expected["lowest"] = np.where(kind == scales.COUNT, np.maximum(expected["lowest"], 0), expected["lowest"])
        return expected


def _arrays(state: Any, prefix: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    for field in fields(state):
        part = getattr(state, field.name)
        if is_dataclass(part):
            yield from _arrays(part, f"{prefix}{field.name}.")
        elif isinstance(part, np.ndarray):
            yield prefix + field.name, part
