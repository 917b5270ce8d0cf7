"""Declares the input and output of one detector step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.calendar import NO
from airflow_provider_elementary.anomalies.robust.model.settings import Settings

Floats = npt.NDArray[np.float64]
Kinds = npt.NDArray[np.int8]
Rows = npt.NDArray[np.intp]

#: What a flagged bucket is; a verdict's number is its place here.
KINDS = (None, "spike", "drop", "late", "level shift", "missing bucket", "run of zeros", "frozen", "drift")
SPIKE, DROP, LATE, SHIFT, MISSING, ZEROS, FROZEN, DRIFT = range(1, len(KINDS))


@dataclass(frozen=True)
class Bucket:
    """One bucket of some series, each at most once.

    :ivar number: its number, the same for all.
    :ivar value: NaN for a bucket without a value.
    :ivar kind: scale of each series' metric.
    :ivar is_volume: whether the metric counts the rows of a table.
    :ivar settings: what the series' tests ask for.
    :ivar mark: what people say of it, as a place in :data:`~airflow_provider_elementary.anomalies.feedback.MARKS`.
    :ivar row_count: of how many rows a percentage is; NaN where nothing says so.
    :ivar day: its date, for daily series.
    :ivar weekday: of daily and hourly series, 0 for a Monday.
    :ivar holiday: whether its day is a holiday; see :mod:`.calendar`.
    """

    rows: Rows
    number: int
    value: Floats
    kind: Kinds
    is_volume: npt.NDArray[np.bool_]
    settings: Settings
    mark: Kinds
    row_count: Floats
    day: date | None = None
    weekday: int | None = None
    holiday: int = NO


@dataclass(frozen=True)
class BucketVerdicts:
    """The verdicts on one bucket, an array per column.

    :ivar score: surprise relative to the one at which it is flagged, NaN without a verdict.
    :ivar kind: place in :data:`KINDS`.
    :ivar run: length of the run of missing, zero or equal values.
    :ivar seen: buckets that the forecast was made from.
    :ivar usual: of a flagged gap, zero or value where zero is the rule, the probability of the opposite; NaN of others.
    """

    score: Floats
    expected: Floats
    lowest: Floats
    highest: Floats
    kind: Kinds
    run: npt.NDArray[np.int64]
    seen: npt.NDArray[np.int64]
    usual: Floats
