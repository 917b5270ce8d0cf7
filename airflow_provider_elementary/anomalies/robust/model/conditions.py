"""Applies what tests and people ask for to scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.feedback import EXPECTED, NEW_NORMAL
from airflow_provider_elementary.anomalies.robust.model import ranges
from airflow_provider_elementary.anomalies.robust.model import transform as scales
from airflow_provider_elementary.anomalies.robust.model.bucket import Bucket
from airflow_provider_elementary.anomalies.robust.model.calendar import HOLIDAY
from airflow_provider_elementary.anomalies.robust.model.evidence import Evidence, Reading
from airflow_provider_elementary.anomalies.robust.model.parameters import Frequency, ModelParameters
from airflow_provider_elementary.anomalies.robust.model.ring_buffer import History
from airflow_provider_elementary.anomalies.robust.model.transform import DURATION, REAL

Floats = npt.NDArray[np.float64]

#: Fewest values of the same season that say what is usual in it.
_FEWEST_OF_SEASON = 3
#: Place of the question of zeros among the scores, and the score of a zero that always fails.
ZERO, _FAILS = 2, 1.5
#: Score of what a rule never flags, below that of what a person accepted.
_RULED_OUT = np.nextafter(1.0, 0.0)
#: Places of the questions of missing buckets and zeros.
_ABSENCES = [1, 2]


def season_range(values: History, bucket: Bucket, frequency: Frequency, unit: Floats) -> tuple[Floats, Floats]:
    """Return the least and the largest value of the same season, where a test asks for one; NaN elsewhere."""
    low, high = np.full((2, len(bucket.rows)), np.nan)
    for days in np.unique(bucket.settings.season[bucket.settings.season > 0]):
        lag = days * frequency.buckets_a_day
        mine = np.flatnonzero(bucket.settings.season == days)
        if not lag or lag > frequency.history:
            continue
        lags = range(lag, frequency.history + 1, lag)
        y = values.lags(bucket.rows[mine], bucket.number, lags).astype(np.float64)
        enough = np.isfinite(y).sum(axis=1) >= _FEWEST_OF_SEASON
        for side, ends in ((low, np.fmin.reduce(y, axis=1)), (high, np.fmax.reduce(y, axis=1))):
            side[mine] = np.where(enough, scales.from_scale(ends, bucket.kind[mine], unit[mine]), np.nan)
    return low, high


def as_configured(
    scores: Floats,
    bucket: Bucket,
    reading: Reading,
    evidence: Evidence,
    expected: Floats,
    usual: tuple[Floats, Floats],
    holiday: Floats,
    frequency: Frequency,
    parameters: ModelParameters,
) -> Floats:
    """Return the scores as the series' tests and people want them: what they exclude reaches no alarm.

    :param expected: the forecast in the metric's own unit.
    :param usual: between which values nothing is unusual, NaN for none.
    :param holiday: error of the forecast on the last holiday, NaN before one was seen.
    """
    settings = bucket.settings
    scores = scores / settings.level
    small_low, small_high = ranges.small_changes(bucket, expected, parameters)
    plain = reading.known & ~(bucket.value < settings.least)
    may_fall = settings.below | (bucket.kind == DURATION)
    is_off = (
        plain & ~(bucket.value <= small_high) & (settings.above | (bucket.kind == DURATION)),
        plain & ~(bucket.value >= small_low) & may_fall,
    )
    # A value between its forecast and what is usual is none: what is usual bounds the side on which the value is off.
    is_unusual = is_off[0] & ~(bucket.value <= usual[1]), is_off[1] & ~(bucket.value >= usual[0])
    of_size = np.where(evidence.above, *is_unusual)
    # What is usual says of a size: a run of zeros, or a value where zero is the rule, is none.
    is_run = frequency.is_short & (evidence.none.length > 1)
    none = reading.is_zero & np.where(is_run, is_off[1], is_unusual[1])
    load = is_off[0] & settings.above
    # The last value drifts along, and the second model with it: of averages of days, and of shorter buckets that the
    # forecast explains, the drift counts alone.
    alone = (bucket.kind == REAL) & ~(evidence.is_unknown & np.bool_(frequency.is_short))
    sides = [np.where(alone, off, unusual) for off, unusual in zip(is_off, is_unusual, strict=True)]
    drifts = np.where(evidence.drift[:, 0] >= evidence.drift[:, 1], *sides)
    both = settings.above & settings.below & np.isnan(settings.spike) & np.isnan(settings.drop)
    allowed = np.stack([of_size, may_fall, none, load, both, both, drifts])
    scores = np.where(allowed, scores, np.minimum(scores, _RULED_OUT))
    zero = settings.zero & reading.known & (bucket.value == 0)
    scores[ZERO] = np.where(zero, np.maximum(scores[ZERO], _FAILS), scores[ZERO])
    if bucket.holiday == HOLIDAY:
        # That nothing arrives is what holidays are for, and how far the first one falls nobody can know.
        scores[_ABSENCES] = np.minimum(scores[_ABSENCES], _RULED_OUT)
        is_first = ~evidence.above & np.isnan(holiday)
        scores[0] = np.where(is_first, np.minimum(scores[0], _RULED_OUT), scores[0])
    accepted = (bucket.mark == EXPECTED) | (bucket.mark == NEW_NORMAL)
    return np.where(accepted, np.minimum(scores, 1), scores)
