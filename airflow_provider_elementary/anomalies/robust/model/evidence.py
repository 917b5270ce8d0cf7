"""Declares what the parts of the model say about one bucket."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model import events as occurrence
from airflow_provider_elementary.anomalies.robust.model.alternatives import Mixture
from airflow_provider_elementary.anomalies.robust.model.events import Surprise
from airflow_provider_elementary.anomalies.robust.model.forecast import Combined
from airflow_provider_elementary.anomalies.robust.model.repeats import Repeat

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Reading:
    """A bucket's values on the model's scale, and which questions make sense for them.

    :ivar noise: of the bucket itself, 0 where nothing is known of it.
    :ivar may_be_zero: there is a value, and zero would be an event and not a size.
    :ivar is_sized: there is a value, and its size can be scored.
    :ivar is_first: no row of the table was counted before.
    """

    y: Floats
    unit: Floats
    noise: Floats
    known: Flags
    may_be_zero: Flags
    is_zero: Flags
    is_sized: Flags
    is_first: Flags


@dataclass(frozen=True)
class Evidence:
    """What the parts of the model say about a bucket.

    :ivar is_sized: there is a size, and a forecast to compare it with.
    :ivar size: of the error, in scales.
    :ivar caution: added to the surprise at which a size is flagged.
    :ivar is_unknown: nothing is known of the noise; see :class:`~.long_run.LongRun`.
    :ivar drift: sums of the errors above and below.
    """

    forecast: Combined
    mixture: Mixture
    is_sized: Flags
    size: Floats
    above: Flags
    missing: occurrence.Forecast
    gap: Surprise
    zero: occurrence.Forecast
    none: Surprise
    repeat: Repeat
    caution: Floats
    is_unknown: Flags
    drift: Floats

    @property
    def run_lengths(self) -> Floats:
        """The lengths of the runs that the bucket belongs to; shape (missing/zero/frozen, rows)."""
        return np.stack([self.gap.length, self.none.length, self.repeat.length])


@dataclass(frozen=True)
class Flagged:
    """Which bucket is flagged, and by what."""

    value: Flags
    gap: Flags
    zero: Flags
    load: Flags
    frozen: Flags
    drift: Flags

    @property
    def runs(self) -> Flags:
        """Whether it is flagged as one of a run; shape (missing/zero/frozen, rows)."""
        return np.stack([self.gap, self.zero, self.frozen])
