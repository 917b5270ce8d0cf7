"""States the range outside of which a value is flagged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model import transform as scales
from airflow_provider_elementary.anomalies.robust.model.bucket import Bucket
from airflow_provider_elementary.anomalies.robust.model.evidence import Flagged
from airflow_provider_elementary.anomalies.robust.model.parameters import ModelParameters

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: A bound this many times as far out as anything seen is none.
_NO_BOUND = 1e4


def small_changes(bucket: Bucket, expected: Floats, parameters: ModelParameters) -> tuple[Floats, Floats]:
    """Return between which values a change is too small to be flagged; NaN without such a condition.

    The test of a series says so; of a sum whose test says nothing, the parameters do.
    """
    is_sum = (bucket.kind == scales.SUM) & (parameters.least_change_of_sum > 0)
    usual, size = np.where(is_sum, parameters.least_change_of_sum, np.nan), np.abs(expected)
    drop, spike = (
        np.where(np.isnan(of_test), usual, of_test) for of_test in (bucket.settings.drop, bucket.settings.spike)
    )
    return expected - drop * size, expected + spike * size


def stated(
    bucket: Bucket,
    expected: Floats,
    lowest: Floats,
    highest: Floats,
    unit: Floats,
    usual: tuple[Floats, Floats],
    flagged: Flags,
    parameters: ModelParameters,
) -> tuple[Floats, Floats]:
    """Return the range to state: a flagged value lies outside, any other inside.

    :param lowest: below, as ``highest`` above, the surprise is that of an alarm.
    :param usual: between which values the second model and the season of a test see nothing unusual, NaN for none.
    :param flagged: by its size.
    """
    settings, value = bucket.settings, bucket.value
    small_low, small_high = small_changes(bucket, expected, parameters)
    low, high = np.fmin(np.fmin(lowest, small_low), usual[0]), np.fmax(np.fmax(highest, small_high), usual[1])
    low = np.where(bucket.kind == scales.COUNT, np.maximum(low, 0), low)
    far = _NO_BOUND * np.fmax(np.fmax(np.abs(expected), unit), np.abs(value))
    low = np.where(settings.below & (bucket.kind != scales.DURATION) & (low > -far), low, np.nan)
    high = np.where(settings.above & (high < far), high, np.nan)
    above = flagged & (value > expected)
    # The bounds are put into the metric's unit, which rounds: a value next to one is moved to the side of its verdict.
    high = np.where(above, np.fmin(np.where(np.isnan(high), np.inf, high), np.nextafter(value, -np.inf)), high)
    low = np.where(flagged & ~above, np.fmax(np.where(np.isnan(low), -np.inf, low), np.nextafter(value, np.inf)), low)
    inside = np.isfinite(value) & ~flagged
    low = np.where(inside & (value < low), np.where(value < settings.least, np.nan, value), low)
    high = np.where(inside & (value > high), np.where(value < settings.least, np.nan, value), high)
    return low, high


def of_events(bucket: Bucket, low: Floats, high: Floats, flagged: Flagged) -> tuple[Floats, Floats]:
    """Return the range where zeros and what is no size are flagged as well."""
    # A zero is an event: where it is flagged, more than zero was expected.
    zero = flagged.zero & ~(low > 0)
    low = np.where(zero, np.where(bucket.kind == scales.COUNT, 1, np.nan), low)
    high = np.where(zero, np.where(bucket.kind == scales.COUNT, np.maximum(high, 1), np.nan), high)
    # A value where zero is the rule, one that does not change and one that drifts are flagged for another reason.
    other = (flagged.load | flagged.frozen | flagged.drift) & ~flagged.value & ~flagged.zero
    low = np.where(other, np.where(flagged.load, 0, np.nan), low)
    high = np.where(other, np.where(flagged.load, 0, np.nan), high)
    return low, high
