"""Applies each series' test configuration and feedback to the robust model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from airflow_provider_elementary.anomalies.configurations import KEYS, SeriesConfigurations
from airflow_provider_elementary.anomalies.elementary.parameters import SEASONALITIES, AnomalyTestParameters
from airflow_provider_elementary.anomalies.feedback import MARKS, Feedback
from airflow_provider_elementary.arrow_values import array_of_numbers, numpy_of
from airflow_provider_elementary.duckdb_sandbox import bounded_connection

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: Elementary's default sensitivity: at it, the model's own levels hold.
_USUAL_SENSITIVITY = 3.0
#: The least sensitivity that is used, so that a level is above zero.
_LEAST_SENSITIVITY = 0.1
_USUAL_DAYS = AnomalyTestParameters().days_back
#: Fewest errors that are averaged, however short the training period is.
_FEWEST_ERRORS = 14
_SEASON_DAYS = {"day_of_week": 7, "hour_of_day": 1, "hour_of_week": 7}
_SECONDS = 1_000_000

_EXCLUDED = """
SELECT place
FROM (SELECT *, bucket_start AS metric_time_bucket, bucket_start::DATE AS metric_date FROM rows)
WHERE {is_excluded}
"""


@dataclass(frozen=True)
class Settings:
    """What tests ask for, one entry per series.

    :ivar level: factor of every surprise at which a bucket is flagged.
    :ivar above, below: a value above (below) its forecast may be flagged.
    :ivar spike, drop: share of the forecast by which a value must be above (below) it; NaN for no such condition.
    :ivar zero: a zero is always flagged.
    :ivar least: a value below is not flagged, NaN for none.
    :ivar season: days after which a bucket of the same season comes, 0 without a seasonality.
    :ivar days: training period in days, 0 where it is the default.
    """

    level: Floats
    above: Flags
    below: Flags
    spike: Floats
    drop: Floats
    zero: Flags
    least: Floats
    season: npt.NDArray[np.int64]
    days: Floats

    def of(self, series: npt.NDArray[np.int64]) -> Settings:
        """Return the settings of some series."""
        return Settings(*(getattr(self, field.name)[series] for field in fields(self)))

    def error_window(self, usual: int, buckets_a_day: int) -> Floats:
        """Return how many errors make a scale: those of the training period where it is not the default."""
        return np.where(self.days > 0, np.maximum(self.days * buckets_a_day, _FEWEST_ERRORS), usual)


@dataclass(frozen=True)
class SeriesSettings:
    """The settings of numbered series, and what is known of single buckets of them.

    :ivar numbers: the place of each series' configuration.
    :ivar keys: one row per series.
    """

    settings: Settings
    numbers: npt.NDArray[np.int64]
    keys: pa.Table
    configured: SeriesConfigurations
    feedback: Sequence[Feedback]
    adapter: str | None

    @classmethod
    def of(
        cls,
        keys: pa.Table,
        configured: SeriesConfigurations,
        feedback: Sequence[Feedback] = (),
        adapter: str | None = None,
    ) -> SeriesSettings:
        """Return the settings of series.

        :param keys: one row per series, with the key columns.
        :param adapter: dbt's name of the warehouse whose SQL the predicates of tests are.
        """
        numbers = configured.of_series(keys)
        of_configuration = [_settings(parameters) for parameters in configured.parameters]
        columns = [np.array(column)[numbers] for column in zip(*of_configuration, strict=True)]
        settings = Settings(*columns)
        for each in feedback:
            if each.kind == "sensitivity":
                mine = each.concerns(keys)
                settings.level[mine] = max(each.sensitivity or 0, _LEAST_SENSITIVITY) / _USUAL_SENSITIVITY
        return cls(settings, numbers, keys, configured, feedback, adapter)

    def codes(self) -> npt.NDArray[np.uint64]:
        """Return a hash per series of its configuration and feedback: the state of one with another is not resumed."""
        of_configuration = [json.dumps(asdict(each), default=str) for each in self.configured.parameters]
        texts = [hashlib.sha256(text.encode()).digest() for text in of_configuration]
        codes = np.array([int.from_bytes(text[:8]) for text in texts], np.uint64)[self.numbers]
        for each in self.feedback:
            digest = hashlib.sha256(json.dumps(asdict(each), default=str, sort_keys=True).encode()).digest()
            mine = each.concerns(self.keys)
            # The order in which feedback was given does not matter, so neither does that of its hashes.
            codes[mine] += np.uint64(int.from_bytes(digest[:8]))
        return codes

    def marks(
        self,
        series: npt.NDArray[np.int64],
        start: npt.NDArray[np.int64],
        end: npt.NDArray[np.int64],
        value: Floats,
        now: int | None = None,
    ) -> npt.NDArray[np.int8]:
        """Return what feedback and tests say of buckets, as places in :data:`~anomalies.feedback.MARKS`.

        :param start: seconds since 1970, as ``end``.
        :param now: end of the newest bucket: those within a test's detection delay before it are not complete.
        """
        marks = np.zeros(len(series), np.int8)
        for each in self.feedback:
            if each.kind in MARKS:
                first, last = _seconds(each.since, 0), _seconds(each.until, np.iinfo(np.int64).max)
                if each.kind == "new normal":
                    # Only one bucket is the change; what follows has the new level already.
                    last = first + 1
                chosen = each.concerns(self.keys)[series] & (np.maximum(end, start + 1) > first) & (start < last)
                marks[chosen] = MARKS.index(each.kind)
        if self.configured.has_exclusions:
            marks[self._excluded(series, start, end, value)] = MARKS.index("excluded")
        delays = np.array([each.detection_delay.total_seconds() for each in self.configured.parameters])
        if now is not None and delays.any():
            delay = delays[self.numbers][series]
            marks[(delay > 0) & (end > now - delay)] = MARKS.index("not complete")
        return marks

    def _excluded(
        self,
        series: npt.NDArray[np.int64],
        start: npt.NDArray[np.int64],
        end: npt.NDArray[np.int64],
        value: Floats,
    ) -> npt.NDArray[np.int64]:
        """Return the rows for which their test's ``anomaly_exclude_metrics`` holds."""
        excluding = np.array([bool(each.anomaly_exclude_metrics) for each in self.configured.parameters])
        rows = np.flatnonzero(excluding[self.numbers][series])
        if not len(rows):
            return rows
        table = self.keys.select(KEYS).take(array_of_numbers(series[rows]))
        columns = {
            "configuration": array_of_numbers(self.numbers[series[rows]]),
            "metric_value": array_of_numbers(value[rows], nan_is_null=True),
            "bucket_start": array_of_numbers(start[rows] * _SECONDS, pa.timestamp("us")),
            "bucket_end": array_of_numbers(end[rows] * _SECONDS, pa.timestamp("us")),
            "place": array_of_numbers(rows),
        }
        for name, column in columns.items():
            table = table.append_column(name, column)
        with bounded_connection() as connection:
            connection.register("rows", table)
            query = _EXCLUDED.replace("{is_excluded}", self.configured.excluded(self.adapter))
            excluded = connection.sql(query).to_arrow_table()
        places: npt.NDArray[np.int64] = numpy_of(excluded["place"])
        return places


def _settings(parameters: AnomalyTestParameters) -> tuple[float | bool | int, ...]:
    stretch = SEASONALITIES[parameters.seasonality][1] if parameters.seasonality else 1
    days = parameters.days_back / stretch
    return (
        max(parameters.anomaly_sensitivity, _LEAST_SENSITIVITY) / _USUAL_SENSITIVITY,
        parameters.anomaly_direction != "drop",
        parameters.anomaly_direction != "spike",
        np.nan if parameters.spike_percent is None else parameters.spike_percent / 100,
        np.nan if parameters.drop_percent is None else parameters.drop_percent / 100,
        parameters.fail_on_zero,
        np.nan if parameters.min_value is None else parameters.min_value,
        _SEASON_DAYS[parameters.seasonality] if parameters.seasonality else 0,
        0.0 if days == _USUAL_DAYS else days,
    )


def _seconds(moment: datetime | None, default: int) -> int:
    return default if moment is None else int((moment - datetime(1970, 1, 1)).total_seconds())
