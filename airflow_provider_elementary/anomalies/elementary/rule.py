"""Elementary's rule (dbt package 0.25.1) as DuckDB views over ``points`` and ``parameters``.

The macros are ``get_anomaly_scores_query`` and ``get_read_anomaly_scores_query``; a view here is one step of them.

``points``: what a run, real or replayed, looks at. ``point`` identifies the row; ``configuration`` names its row of
``parameters``; ``test`` is whose detection period counts; ``series_a, series_b`` are two hashes of the series, season
included; ``value`` is null where the bucket has none; ``signed`` and ``spikes_only`` are facts of the metric;
``ends``, ``opens`` and ``closes`` are microseconds: the bucket's end, and between which ends it is trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb
import pyarrow as pa

from airflow_provider_elementary.anomalies.elementary.parameters import AnomalyTestParameters
from airflow_provider_elementary.arrow_values import arrow_table_of
from airflow_provider_elementary.metrics.registry import names_of
from airflow_provider_elementary.warehouses.registry import by_adapter

#: Metrics whose expected range may go below zero.
SIGNED_METRICS = names_of(lambda metric: metric.is_signed)
#: Metrics that are only ever too high, whatever the direction.
SPIKES_ONLY_METRICS = names_of(lambda metric: metric.is_spikes_only)

#: Buckets of the same season are compared with each other.
SEASON = """CASE seasonality
            WHEN 'day_of_week' THEN dayofweek(bucket_end)
            WHEN 'hour_of_day' THEN hour(bucket_end)
            WHEN 'hour_of_week' THEN 24 * dayofweek(bucket_end) + hour(bucket_end)
            ELSE 0
        END"""

#: Every point's training set, from a window.
WINDOWED_STATISTICS = """
CREATE TEMP VIEW training AS
SELECT
    * EXCLUDE (series_a, series_b, opens, closes),
    avg(value) OVER trained AS average,
    stddev_samp(value) OVER trained AS deviation,
    count(value) OVER trained AS training_size,
    min(value) OVER trained AS lowest,
    max(value) OVER trained AS highest
FROM points
WINDOW trained AS (
    PARTITION BY series_a, series_b ORDER BY ends
    RANGE BETWEEN ends - opens PRECEDING AND ends - closes PRECEDING
)
"""

# The same for one run, where ``trained`` is the value as far as it is trained on.
_RUN_STATISTICS = """
CREATE TEMP VIEW training AS
SELECT
    * EXCLUDE (series_a, series_b, trained),
    avg(trained) OVER run AS average,
    stddev_samp(trained) OVER run AS deviation,
    count(trained) OVER run AS training_size,
    min(trained) OVER run AS lowest,
    max(trained) OVER run AS highest
FROM points
WINDOW run AS (
    PARTITION BY series_a, series_b ORDER BY ends NULLS LAST RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
"""


def run_statistics(adapter: str | None) -> str:
    """Return the statement that creates every point's training set in one run.

    :param adapter: dbt's name of the warehouse, which sorts rows without an end first or last.
    """
    if by_adapter(adapter).sorts_nulls_first:
        return _RUN_STATISTICS.replace("NULLS LAST", "NULLS FIRST")
    return _RUN_STATISTICS


#: The training sets of the points in ``scored_points`` alone, from a window over all.
SCORED_WINDOWED_STATISTICS = WINDOWED_STATISTICS + "QUALIFY point IN (SELECT point FROM scored_points)"  # noqa: S608 - constants

#: The same from parts that training sets share: cheaper where their ``bounds`` are few.
SHARED_STATISTICS = """
CREATE TEMP VIEW training AS
WITH spans AS (
    SELECT ends, max(place) AS span FROM (SELECT DISTINCT ends FROM points) JOIN bounds ON bound <= ends GROUP BY ends
),
parts AS MATERIALIZED (
    SELECT
        series_a,
        series_b,
        span,
        count(*) AS size,
        avg(value) AS mean,
        var_pop(value) * count(*) AS squares,
        min(value) AS lowest,
        max(value) AS highest
    FROM points JOIN spans USING (ends)
    WHERE value IS NOT NULL
    GROUP BY series_a, series_b, span
),
trained AS MATERIALIZED (
    SELECT point, size, mean, squares, lowest, highest
    FROM scored_points AS s
    JOIN bounds AS first ON first.bound = s.opens
    JOIN bounds AS next ON next.bound = s.closes + 1
    JOIN parts USING (series_a, series_b)
    WHERE span >= first.place AND span < next.place
),
averages AS (
    SELECT
        point,
        sum(size)::BIGINT AS training_size,
        sum(size * mean) / sum(size) AS average,
        min(lowest) AS lowest,
        max(highest) AS highest
    FROM trained
    GROUP BY point
),
deviations AS (
    SELECT
        point,
        sqrt(sum(squares + size * (mean - average) * (mean - average)) / (any_value(training_size) - 1)) AS deviation
    FROM trained JOIN averages USING (point)
    WHERE training_size > 1
    GROUP BY point
)
SELECT
    s.* EXCLUDE (series_a, series_b, opens, closes),
    average,
    deviation,
    coalesce(training_size, 0) AS training_size,
    a.lowest,
    a.highest
FROM scored_points AS s LEFT JOIN averages AS a USING (point) LEFT JOIN deviations USING (point)
"""
#: The bounds of the training sets of the points in ``scored_points``, numbered in the order of time.
BOUNDS = """
CREATE TEMP TABLE bounds AS
SELECT bound, row_number() OVER (ORDER BY bound) AS place
FROM (SELECT opens AS bound FROM scored_points UNION SELECT closes + 1 FROM scored_points)
"""

_SCORES = (
    # Equal values deviate by exactly 0, which rounding in the two aggregates must not change into a tiny number.
    """
CREATE TEMP VIEW statistics AS
SELECT
    t.* EXCLUDE (average, deviation, lowest, highest),
    CASE WHEN lowest = highest THEN lowest ELSE average END AS average,
    CASE
        WHEN training_size < 2 THEN NULL
        WHEN lowest = highest THEN 0
        WHEN stddev = 'population' THEN deviation * sqrt((training_size - 1) / training_size)
        WHEN stddev = 'sample, 6 digits' THEN round(deviation, 6)
        ELSE deviation
    END AS deviation
FROM training AS t JOIN parameters USING (configuration)
""",
    """
CREATE TEMP VIEW scores AS
SELECT
    s.*,
    CASE WHEN deviation = 0 THEN value - value ELSE (value - average) / deviation END AS score,
    least(average - sensitivity * deviation, (1 - drop_percent / 100) * average) AS low,
    greatest(average + sensitivity * deviation, (1 + spike_percent / 100) * average) AS high
FROM statistics AS s JOIN parameters USING (configuration)
""",
    """
CREATE TEMP VIEW compared AS
SELECT
    s.* EXCLUDE (low, high),
    CASE WHEN deviation IS NULL THEN NULL WHEN low > 0 OR signed THEN low ELSE 0 END AS expected_min,
    CASE WHEN deviation IS NULL THEN NULL ELSE high END AS expected_max,
    fail_on_zero AND value = 0 AS is_zero,
    CASE
        WHEN direction = 'spike' OR spikes_only THEN score > sensitivity
        WHEN direction = 'drop' THEN score < -sensitivity
        ELSE abs(score) > sensitivity
    END
    AND CASE
        WHEN direction = 'both' AND spike_percent IS NOT NULL AND drop_percent IS NOT NULL
            THEN value > (1 + spike_percent / 100) * average OR value < (1 - drop_percent / 100) * average
        ELSE (direction = 'drop' OR spike_percent IS NULL OR value > (1 + spike_percent / 100) * average)
            AND (direction = 'spike' OR drop_percent IS NULL OR value < (1 - drop_percent / 100) * average)
    END
    AND (min_value IS NULL OR value >= min_value) AS is_out
FROM scores AS s JOIN parameters USING (configuration)
""",
)

#: A replay scores each bucket in a run of its own, where it is the newest.
REPLAYED_DETECTION = "CREATE TEMP VIEW detection AS SELECT *, TRUE AS is_detected FROM compared"

#: One run flags only what ends in its detection period, counted back from the last bucket that it looked at.
RUN_DETECTION = """
CREATE TEMP VIEW detection AS
SELECT
    j.*,
    ends > max(CASE WHEN value IS NOT NULL AND average IS NOT NULL THEN ends END) OVER (PARTITION BY test)
        - backfill_microseconds AS is_detected
FROM compared AS j JOIN parameters USING (configuration)
"""

_VERDICTS = """
CREATE TEMP VIEW verdicts AS
SELECT
    * EXCLUDE (is_zero, is_out, is_detected),
    score IS NOT NULL AND coalesce((is_zero OR is_out) AND is_detected, FALSE) AS is_anomalous,
    CASE WHEN NOT is_anomalous THEN NULL WHEN is_zero THEN 'zero' WHEN score > 0 THEN 'spike' ELSE 'drop' END AS kind
FROM detection
"""

_PARAMETER_TYPES: dict[str, pa.DataType] = {
    "configuration": pa.int64(),
    "sensitivity": pa.float64(),
    "direction": pa.string(),
    "days_back": pa.int64(),
    "backfill_microseconds": pa.int64(),
    "period": pa.string(),
    "period_count": pa.int64(),
    "week_shift": pa.int32(),
    "bucket_microseconds": pa.int64(),
    "seasonality": pa.string(),
    "spike_percent": pa.float64(),
    "drop_percent": pa.float64(),
    "fail_on_zero": pa.bool_(),
    "min_value": pa.float64(),
    "delay_microseconds": pa.int64(),
    "excludes_detection_period": pa.bool_(),
    "stddev": pa.string(),
}
_PARAMETERS = pa.schema(_PARAMETER_TYPES)


def create_verdicts(connection: duckdb.DuckDBPyConnection, *, statistics: Sequence[str], detection: str) -> None:
    """Create the view ``verdicts`` over ``points`` and ``parameters``: every column of a point and its verdict.

    :param statistics: what creates ``training``: :data:`WINDOWED_STATISTICS`, :func:`run_statistics` or one of those of
        ``scored_points``, as the warehouse rounds, see
        :func:`~airflow_provider_elementary.anomalies.elementary.rounding.rounded`.
    :param detection: :data:`REPLAYED_DETECTION` or :data:`RUN_DETECTION`.
    """
    for statement in (*statistics, *_SCORES, detection, _VERDICTS):
        connection.execute(statement)


def parameters_table(configurations: Iterable[AnomalyTestParameters], adapter: str | None) -> pa.Table:
    """Return the relation ``parameters``, one row per configuration, numbered from 0.

    :param adapter: dbt's name of the warehouse: ``stddev`` is what its function computes (``sample``, ``population`` or
        ``sample, 6 digits``), ``week_shift`` by how many days its weeks begin before Monday.
    """
    rows = [
        {
            "configuration": number,
            "sensitivity": parameters.anomaly_sensitivity,
            "direction": parameters.anomaly_direction,
            "days_back": parameters.days_back,
            "backfill_microseconds": parameters.backfill_days * 86_400_000_000,
            "period": parameters.time_bucket.period,
            "period_count": parameters.time_bucket.count,
            "week_shift": int(parameters.time_bucket.period == "week" and by_adapter(adapter).week_starts_on_sunday),
            "bucket_microseconds": parameters.time_bucket.microseconds,
            "seasonality": parameters.seasonality,
            "spike_percent": parameters.spike_percent,
            "drop_percent": parameters.drop_percent,
            "fail_on_zero": parameters.fail_on_zero,
            "min_value": parameters.min_value,
            "delay_microseconds": int(parameters.detection_delay.total_seconds() * 1_000_000),
            "excludes_detection_period": parameters.exclude_detection_period_from_training,
            "stddev": by_adapter(adapter).standard_deviation,
        }
        for number, parameters in enumerate(configurations)
    ]
    return arrow_table_of(rows, _PARAMETERS)
