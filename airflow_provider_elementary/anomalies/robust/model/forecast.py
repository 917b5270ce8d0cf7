"""Forecasts values by combining simple experts, weighted by recent skill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.bucket import Bucket
from airflow_provider_elementary.anomalies.robust.model.parameters import DAILY, Frequency, ModelParameters
from airflow_provider_elementary.anomalies.robust.model.ring_buffer import History, median
from airflow_provider_elementary.anomalies.robust.model.settings import Settings
from airflow_provider_elementary.anomalies.robust.model.tails import log_density
from airflow_provider_elementary.anomalies.robust.model.transform import smallest_noise
from airflow_provider_elementary.anomalies.robust.model.weekly_profile import Profile

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Kinds = npt.NDArray[np.int8]

#: Mean absolute error to standard deviation, a little less than Gauss's 1.25: the largest errors are clipped.
_ERROR_TO_SCALE = 1.2
#: Days of a week, and how many Sundays say what they are like.
_WEEK, _SUNDAYS = 7, 4
#: Mean absolute difference of two values to the standard deviation of one, and how many make one.
_UNLIKE_TO_SCALE, _FEWEST_CYCLES = 0.886, 7
#: Number of errors from which an expert and a scale are used, and from which errors are clipped.
_HEARD_FROM, _CLIPPED_FROM = 3, 6


@dataclass
class Combined:
    """The forecast of one bucket on the model's scale.

    :ivar value: the experts' mean, weighted by skill; NaN where there is none yet.
    :ivar scale: standard deviation of its error; NaN where there is none yet.
    :ivar experts: each expert's forecast, NaN where it has none; shape (rows, experts).
    :ivar heard: the experts that have a past.
    :ivar bases: the level and the seasons, before any correction; shape (rows, bases).
    :ivar expert_scales: as ``experts``.
    :ivar quietest: the least value of the last week, NaN where days do not make weeks.
    """

    value: Floats
    scale: Floats
    experts: Floats
    heard: Flags
    bases: Floats
    expert_scales: Floats
    quietest: Floats


@dataclass
class Forecasts:
    """The experts of each series: last value; level; one per season; these corrected by their recent errors; a profile.

    A base is the level (a running mean of clipped steps) or a season (the median of its last cycles). Each base is
    followed by two experts that add the base's own recent error, one slowly and one fast: so trends, growth and new
    levels are followed without a model of them.

    :ivar values: past values without incidents, on the model's scale.
    :ivar bias: recent error of each base; shape (series, bases, slow/fast).
    :ivar skill: discounted log-likelihood of each expert.
    :ivar error, errors: scale and number of errors of each expert, then the same of the combination.
    """

    values: History
    last: Floats
    level: Floats
    levels: Floats
    bias: Floats
    biases: Floats
    skill: Floats
    error: Floats
    errors: Floats
    combined_error: Floats
    combined_errors: Floats
    profile: Profile

    @classmethod
    def empty(cls, series: int, frequency: Frequency) -> Forecasts:
        """Return the state of series without a past."""
        bases = 1 + len(frequency.seasons)
        experts = 1 + 3 * bases + (frequency.profile > 0)
        return cls(
            values=History.empty(series, frequency.history, np.float32, np.nan),
            last=np.full(series, np.nan),
            level=np.full(series, np.nan),
            levels=np.zeros(series),
            bias=np.zeros((series, bases, 2)),
            biases=np.zeros((series, bases)),
            skill=np.zeros((series, experts)),
            error=np.zeros((series, experts)),
            errors=np.zeros((series, experts)),
            combined_error=np.zeros(series),
            combined_errors=np.zeros(series),
            profile=Profile.empty(series, frequency),
        )

    def predict(self, rows: Rows, number: int, kind: Kinds, noise: Floats, frequency: Frequency) -> Combined:
        """Return the forecast of bucket ``number``.

        :param noise: the least standard deviation of the bucket's value, as far as it is known of the bucket.
        """
        bases = np.stack([self.level[rows], *self._seasons(rows, number, frequency)], axis=1)
        bias = np.where(self.biases[rows, :, None] >= _HEARD_FROM, self.bias[rows], np.nan)
        corrected = [bases + bias[:, :, 0], bases + bias[:, :, 1]]
        profile = self.profile.predict(rows, number, frequency)
        experts = np.concatenate([self.last[rows, None], bases, *corrected, profile], axis=1)
        scales = np.maximum(self.error[rows], smallest_noise(experts, kind[:, None]))
        heard = np.isfinite(experts) & (self.errors[rows] >= _HEARD_FROM)
        skill = np.where(heard, self.skill[rows], -np.inf)
        best = skill.max(axis=1, keepdims=True)
        weight = np.where(heard, np.exp(skill - np.where(np.isfinite(best), best, 0)), 0)
        total = weight.sum(axis=1)
        value = (weight * np.where(heard, experts, 0)).sum(axis=1) / np.where(total > 0, total, np.nan)
        scale = np.where(self.combined_errors[rows] >= _HEARD_FROM, self.combined_error[rows], np.nan)
        scale = np.maximum(np.maximum(scale, smallest_noise(value, kind)), noise)
        quietest = np.full(len(rows), np.nan)
        if frequency.name == DAILY.name:
            quietest = np.fmin.reduce(self.values.lags(rows, number, range(1, 8)), axis=1).astype(np.float64)
        return Combined(value, scale, experts, heard, bases, scales, quietest)

    def second_opinion(
        self,
        rows: Rows,
        number: int,
        kind: Kinds,
        age: Floats,
        noise: Floats,
        level: Floats,
        frequency: Frequency,
        parameters: ModelParameters,
    ) -> tuple[Floats, Floats]:
        """Return between which values a simpler model expects the bucket; NaN where it knows too little.

        Its errors are unlike those of the experts: it looks at past values alone, and at how unlike two cycles are.

        :param age: buckets since the level moved; those before are of another level.
        :param noise: as for :meth:`predict`.
        :param level: factor of the distance at which it disagrees.
        """
        nothing = np.full(len(rows), np.nan)
        if not (parameters.agreement and frequency.seasons):
            return nothing, nothing
        cycle = frequency.seasons[0]
        step = 1 if frequency.name == DAILY.name else cycle
        lags = np.arange(step, frequency.second_opinion + 1, step)
        past = np.where(lags <= age[:, None] + 1, self.values.lags(rows, number, lags), np.nan).astype(np.float64)
        apart = cycle // step
        unlike = np.abs(past[:, apart:] - past[:, :-apart])
        known = np.isfinite(unlike).sum(axis=1)
        spread = _UNLIKE_TO_SCALE * np.where(np.isfinite(unlike), unlike, 0).sum(axis=1) / np.maximum(known, 1)
        same = past[:, apart - 1 :: apart]
        centres = np.stack([self.last[rows], median(same), median(past)], axis=1)
        lowest, highest = np.fmin.reduce(centres, axis=1), np.fmax.reduce(centres, axis=1)
        reach = (
            parameters.agreement * level * np.maximum(np.maximum(spread, smallest_noise(self.last[rows], kind)), noise)
        )
        enough = known >= _FEWEST_CYCLES
        return np.where(enough, lowest - reach, np.nan), np.where(enough, highest + reach, np.nan)

    def sundays(self, bucket: Bucket, frequency: Frequency) -> Floats:
        """Return the median of the same time of the last Sundays; NaN where days do not make weeks."""
        if bucket.weekday is None:
            return np.full(len(bucket.rows), np.nan)
        back = (bucket.weekday + 1) % _WEEK or _WEEK
        lags = [(back + _WEEK * week) * frequency.buckets_a_day for week in range(_SUNDAYS)]
        return median(self.values.lags(bucket.rows, bucket.number, lags).astype(np.float64))

    def learn(
        self,
        rows: Rows,
        number: int,
        y: Floats,
        learns: Flags,
        forecast: Combined,
        settings: Settings,
        frequency: Frequency,
        parameters: ModelParameters,
    ) -> None:
        """Take the values of one bucket into account.

        :param learns: the rows whose value is no incident.
        :param settings: whose training period says over how many errors a scale is averaged.
        """
        self.values.put(rows, number, np.where(learns, y, np.nan).astype(np.float32))
        window = settings.error_window(frequency.error_window, frequency.buckets_a_day or 1)
        self._learn_errors(rows, y, learns, forecast, window, frequency, parameters)
        self._learn_bias(rows, y, learns, forecast.bases, parameters)
        self._learn_level(rows, y, learns, forecast.scale, parameters)
        self.profile.learn(rows, number, y, learns, forecast.scale, frequency, parameters)
        self.last[rows] = np.where(learns, y, self.last[rows])

    def move(self, rows: Rows, number: int, recent: Floats, forecast: Combined, frequency: Frequency) -> None:
        """Start from a new level.

        :param recent: the values that make the new level, the newest last; shape (rows, values).
        """
        for back in range(recent.shape[1]):
            self.values.put(rows, number - back, recent[:, -1 - back].astype(np.float32))
        y = recent[:, -1]
        self.last[rows] = y
        self.level[rows], self.levels[rows] = y, _HEARD_FROM
        self.profile.move(rows, number, y, frequency)
        off = y[:, None] - forecast.bases
        off[:, 0] = 0
        self.bias[rows] = np.where(np.isfinite(off), off, 0)[:, :, None]

    def _seasons(self, rows: Rows, number: int, frequency: Frequency) -> list[Floats]:
        return [
            median(self.values.lags(rows, number, [season * k for k in range(1, cycles + 1)]).astype(np.float64))
            for season, cycles in zip(frequency.seasons, frequency.season_lags, strict=True)
        ]

    def _learn_errors(
        self,
        rows: Rows,
        y: Floats,
        learns: Flags,
        forecast: Combined,
        window: Floats,
        frequency: Frequency,
        parameters: ModelParameters,
    ) -> None:
        off = y[:, None] - forecast.experts
        fit = log_density(off / forecast.expert_scales, parameters.expert_degrees) - np.log(forecast.expert_scales)
        skill = frequency.skill_discount * self.skill[rows] + np.where(forecast.heard, fit, 0)
        self.skill[rows] = np.where(learns[:, None], skill, self.skill[rows])
        self.error[rows], self.errors[rows] = _running_error(
            self.error[rows],
            self.errors[rows],
            off,
            learns[:, None],
            forecast.expert_scales,
            window[:, None],
            parameters,
        )
        self.combined_error[rows], self.combined_errors[rows] = _running_error(
            self.combined_error[rows],
            self.combined_errors[rows],
            y - forecast.value,
            learns,
            forecast.scale,
            window,
            parameters,
        )

    def _learn_bias(self, rows: Rows, y: Floats, learns: Flags, bases: Floats, parameters: ModelParameters) -> None:
        off = y[:, None] - bases
        known = learns[:, None] & np.isfinite(off)
        rate = np.maximum(np.array([parameters.slow, parameters.fast]), 1 / (self.biases[rows, :, None] + 1))
        bias = self.bias[rows] + rate * (off[:, :, None] - self.bias[rows])
        self.bias[rows] = np.where(known[:, :, None], bias, self.bias[rows])
        self.biases[rows] += known

    def _learn_level(self, rows: Rows, y: Floats, learns: Flags, scale: Floats, parameters: ModelParameters) -> None:
        level = np.where(np.isfinite(self.level[rows]), self.level[rows], y)
        most = np.where((self.levels[rows] >= _CLIPPED_FROM) & np.isfinite(scale), parameters.clip * scale, np.inf)
        levels = self.levels[rows] + learns
        step = np.maximum(parameters.level_rate, 1 / np.maximum(levels, 1)) * np.clip(y - level, -most, most)
        self.level[rows] = np.where(learns, level + step, self.level[rows])
        self.levels[rows] = levels


def _running_error(
    error: Floats,
    errors: Floats,
    off: Floats,
    learns: Flags,
    scale: Floats,
    window: Floats,
    parameters: ModelParameters,
) -> tuple[Floats, Floats]:
    """Return a scale of error, and the number of errors that made it, after one more error each.

    :param window: over how many errors it is averaged.
    """
    known = learns & np.isfinite(off)
    most = np.where((errors >= _CLIPPED_FROM) & np.isfinite(scale), parameters.clip * scale, np.inf)
    errors = errors + known
    step = np.maximum(1 / window, 1 / np.maximum(errors, 1))
    moved = error + step * (_ERROR_TO_SCALE * np.minimum(np.abs(off), most) - error)
    return np.where(known, moved, error), errors
