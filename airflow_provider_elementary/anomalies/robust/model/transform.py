"""Transforms values to a scale with constant noise at every level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.ring_buffer import median
from airflow_provider_elementary.metrics.registry import family_of

Floats = npt.NDArray[np.float64]

COUNT, PERCENT, DURATION, SUM, REAL = range(5)
#: By the number of the scale, whether zero is an event of its own: nothing arrived.
ZERO_IS_NO_SIZE = np.array([kind in (COUNT, SUM, REAL) for kind in range(5)])

#: Relative noise above which a count's noise is proportional to it; below, it is Poisson's.
COUNT_NOISE = 0.3
#: Smallest relative noise that the model assumes: changes up to it in a constant series are not flagged.
SMALLEST_NOISE = 0.01
#: Where the scale turns from linear to logarithmic, in typical values of the series.
BEND = {DURATION: 0.05, SUM: 0.02, REAL: 20.0}
#: By the number of the scale: to look one up takes a tenth of the time of a condition for each.
_BENDS = np.array([BEND.get(kind, BEND[REAL]) for kind in range(5)])

_KIND_OF_FAMILY = {"count": COUNT, "percent": PERCENT, "duration": DURATION, "sum": SUM, "number": REAL}


def scale_kind(metric_name: str) -> int:
    """Return the scale of a metric as its definition declares its unit; REAL for one that is not declared."""
    return _KIND_OF_FAMILY[family_of(metric_name)]


def to_scale(value: Floats, kind: npt.NDArray[np.int8], unit: Floats) -> Floats:
    """Return values on the model's scale.

    :param unit: typical size of the series' values; used where the metric has no natural unit.
    """
    count = 2 / COUNT_NOISE * np.arcsinh(COUNT_NOISE * np.sqrt(np.abs(value))) * np.sign(value)
    percent = 8 * np.arcsin(np.sqrt(np.clip(value, 0, 100) / 100))
    other = 4 * np.arcsinh(value / (_bend(kind) * unit))
    return np.where(kind == COUNT, count, np.where(kind == PERCENT, percent, other))


def from_scale(y: Floats, kind: npt.NDArray[np.int8], unit: Floats) -> Floats:
    """Return values of the model's scale in the metric's own unit."""
    count = (np.sinh(np.clip(COUNT_NOISE * y / 2, -300, 300)) / COUNT_NOISE) ** 2 * np.sign(y)
    percent = 100 * np.sin(np.clip(y / 8, 0, np.pi / 2)) ** 2
    other = np.sinh(np.clip(y / 4, -300, 300)) * _bend(kind) * unit
    return np.where(kind == COUNT, count, np.where(kind == PERCENT, percent, other))


def smallest_noise(y: Floats, kind: npt.NDArray[np.int8]) -> Floats:
    """Return the least standard deviation to believe in around a forecast: Poisson's for counts, 1 % for all."""
    poisson = 1 / np.cosh(np.clip(COUNT_NOISE * y / 2, -300, 300))
    count = np.maximum(poisson, SMALLEST_NOISE / COUNT_NOISE)
    # d asinh(x / bend) = tanh(asinh(x / bend)) d log(x), and at least what a typical value would give.
    other = 4 * SMALLEST_NOISE * np.maximum(np.abs(np.tanh(y / 4)), 1 / np.hypot(1, _bend(kind)))
    return np.where(kind == COUNT, count, np.where(kind == PERCENT, 4 * SMALLEST_NOISE, other))


def chance_of_repeat(value: Floats, kind: npt.NDArray[np.int8], scale: Floats) -> Floats:
    """Return the chance that two counts are equal by accident; 0 for metrics that are not whole numbers.

    :param scale: standard deviation on the model's scale.
    """
    slope = 1 / np.sqrt(np.maximum(np.abs(value) * (1 + COUNT_NOISE**2 * np.abs(value)), 1e-12))
    chance = np.clip(0.4 * slope / scale, 0, 1)
    return np.where((kind == COUNT) & np.isfinite(chance), chance, 0)


@dataclass
class Units:
    """The typical size of each series' values: the median of the first ones.

    :ivar first: their absolute values; shape (series, how many make the unit).
    :ivar known: how many of them there are.
    """

    first: Floats
    known: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, series: int, values: int) -> Units:
        """Return the state of series without a past."""
        return cls(np.full((series, values), np.nan), np.zeros(series, np.int64))

    def update(self, rows: npt.NDArray[np.intp], value: Floats, usable: npt.NDArray[np.bool_]) -> Floats:
        """Return the units after these values, until there are enough."""
        room = usable & (self.known[rows] < self.first.shape[1])
        self.first[rows[room], self.known[rows[room]]] = np.abs(value[room])
        self.known[rows] += room
        unit = median(self.first[rows])
        return np.where(np.isfinite(unit), unit, 1.0)


def _bend(kind: npt.NDArray[np.int8]) -> Floats:
    return _BENDS[kind]
