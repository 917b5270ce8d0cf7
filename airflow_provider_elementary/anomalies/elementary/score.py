"""Scores metrics by the dbt package's own rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from airflow_provider_elementary.anomalies.configurations import KEYS, SeriesConfigurations
from airflow_provider_elementary.anomalies.elementary.rounding import rounded
from airflow_provider_elementary.anomalies.elementary.rule import (
    BOUNDS,
    REPLAYED_DETECTION,
    RUN_DETECTION,
    SCORED_WINDOWED_STATISTICS,
    SEASON,
    SHARED_STATISTICS,
    SIGNED_METRICS,
    SPIKES_ONLY_METRICS,
    WINDOWED_STATISTICS,
    create_verdicts,
    parameters_table,
)
from airflow_provider_elementary.anomalies.explain import (
    AS_EXPECTED,
    EXCLUDED,
    NO_END,
    NO_VALUE,
    NOT_COMPLETE,
    NOT_ENOUGH,
    TOO_OLD,
    with_sentences,
)
from airflow_provider_elementary.anomalies.schema import (
    KINDS,
    REASONS,
    beside_keys,
    gather_verdicts,
    has_rewritten_buckets,
    number_series,
    series_metrics,
)
from airflow_provider_elementary.arrow_values import array_of_numbers, numpy_of
from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.times import without_zone

#: Number of rows per batch of verdicts read from DuckDB.
BATCH_ROWS = 100_000
#: A window over all points costs as much as this number of parts of training sets for each of them.
PARTS_FOR_A_WINDOW = 8


def score(
    metrics: pa.Table,
    *,
    configurations: pa.Table | None = None,
    as_of: datetime | None = None,
    since: datetime | None = None,
    adapter: str | None = None,
    **arguments: Any,
) -> pa.Table:
    """Score metrics by Elementary's rule.

    :param metrics: Elementary's columns; with ``updated_at``, only the newest row of each bucket is scored.
    :param configurations: the configuration of each series; see :meth:`SeriesConfigurations.of`.
    :param as_of: score as the one run that started then: its window, its detection period. By default every bucket is
        scored as if a run had started at its end.
    :param since: score only buckets that end after this time; the others are history and have no row in the result.
    :param adapter: dbt's name of the warehouse: its standard deviation is computed and rounded, its weeks are counted,
        its SQL is expected in predicates.
    :param arguments: the test's arguments by Elementary's names, of series whose configuration does not give them; see
        :meth:`Parameters.from_arguments`.
    :raises ConfigurationError: the metrics lack a column, or an argument is unknown or out of range.
    """
    configured = SeriesConfigurations.of(configurations, arguments)
    rows = series_metrics(metrics)
    series, firsts = number_series(rows)
    keys = rows.select(KEYS).take(array_of_numbers(firsts))
    numbers = configured.of_series(keys)
    with bounded_connection() as connection:
        connection.register("metrics", rows.drop_columns(list(KEYS)).append_column("series", array_of_numbers(series)))
        configured_keys = keys.append_column("configuration", array_of_numbers(numbers))
        connection.register("keys", configured_keys.append_column("series", array_of_numbers(series[firsts])))
        connection.register("parameters", parameters_table(configured.parameters, adapter))
        connection.execute(_SERIES)
        is_dated = rows["updated_at"].null_count < rows.num_rows
        connection.execute(_LATEST if is_dated and has_rewritten_buckets(rows, series) else _UNIQUE)
        connection.execute(_BUCKETS.replace("{is_excluded}", configured.excluded(adapter)))
        if as_of:
            connection.execute(_RUN, {"as_of": without_zone(as_of)})
        # Where the window of a bucket opens costs as much as all else of it, and of history nobody asks.
        is_scored = f"b.ends > epoch_us(TIMESTAMP '{without_zone(since)}')" if since else "TRUE"
        connection.execute(_RUN_WINDOWS if as_of else _REPLAY_WINDOWS.replace("{is_scored}", is_scored))
        statistics = WINDOWED_STATISTICS
        if since:
            # Threads that aggregate one series together add in another order each time, which moves the last digit.
            connection.execute("SET threads = 1")
            # Looked at three times; to find the newest row of each bucket is what costs.
            connection.execute(_LOCATED.replace("VIEW", "TABLE"))
            connection.execute(_POINTS)
            connection.execute(_SCORED_POINTS, {"since": without_zone(since)})
            connection.execute(_OMITTED_SINCE, {"since": without_zone(since)})
            connection.execute(BOUNDS)
            statistics = _cheaper_statistics(connection)
        else:
            connection.execute(_LOCATED)
            connection.execute(_POINTS)
            connection.execute(_OMITTED)
        create_verdicts(
            connection,
            statistics=rounded(connection, statistics, adapter),
            detection=RUN_DETECTION if as_of else REPLAYED_DETECTION,
        )
        with connection.sql(_VERDICTS).to_arrow_reader(BATCH_ROWS) as reader:
            points, verdicts = gather_verdicts(reader, metrics.num_rows)
    explained = with_sentences(
        verdicts, rows, points, configured, lambda chosen: numbers[series[numpy_of(chosen)]].tolist()
    )
    return beside_keys(metrics, points, explained)


def _cheaper_statistics(connection: duckdb.DuckDBPyConnection) -> str:
    [(is_cheaper,)] = connection.execute(_FEW_PARTS, {"most": PARTS_FOR_A_WINDOW}).fetchall()
    return SHARED_STATISTICS if is_cheaper else SCORED_WINDOWED_STATISTICS


_FEW_PARTS = """
SELECT coalesce(sum(greatest(next.place - first.place, 0)), 0) <= $most * (SELECT count(*) FROM points)
FROM scored_points AS s
JOIN bounds AS first ON first.bound = s.opens
JOIN bounds AS next ON next.bound = s.closes + 1
"""

_SERIES = f"""
CREATE TEMP TABLE series AS
SELECT
    *,
    metric_name IN {SIGNED_METRICS} AS signed,
    metric_name IN {SPIKES_ONLY_METRICS} AS spikes_only,
    min(series) OVER (PARTITION BY full_table_name, configuration) AS test
FROM keys
"""  # noqa: S608 - only constants of this package are put in

_UNIQUE = "CREATE TEMP VIEW latest AS SELECT * FROM metrics"

_LATEST = """
CREATE TEMP VIEW latest AS
SELECT * FROM metrics
QUALIFY row_number() OVER (
    PARTITION BY series, bucket_start, bucket_end
    ORDER BY updated_at DESC NULLS LAST, point DESC
) = 1
"""

# A value that is no number, or too large to be squared, is no value.
_BUCKETS = """
CREATE TEMP VIEW buckets AS
SELECT
    *,
    CASE WHEN abs(metric_value) < 1e150 THEN metric_value END AS value,
    epoch_us(bucket_end) AS ends,
    {is_excluded} AS is_excluded
FROM (
    SELECT *, coalesce(bucket_start, bucket_end) AS metric_time_bucket, metric_time_bucket::DATE AS metric_date
    FROM latest JOIN series USING (series)
)
"""

_REPLAY_WINDOWS = f"""
CREATE TEMP VIEW windows AS
SELECT
    b.*,
    CASE WHEN p.excludes_detection_period THEN b.ends - p.backfill_microseconds ELSE b.ends END AS closes,
    -- Of 0 days, that of a bucket that ends at midnight would open after it.
    CASE WHEN {{is_scored}} THEN least(
        b.ends,
        epoch_us(
            date_trunc(
                p.period, date_trunc('day', b.bucket_end - to_days(p.days_back::INTEGER)) + to_days(p.week_shift)
            ) - to_days(p.week_shift)
        ) + 1
    ) ELSE closes END AS opens,
    CASE
        WHEN b.bucket_end IS NULL THEN '{NO_END}'
        WHEN p.delay_microseconds > 0
            AND b.ends > (SELECT max(epoch_us(bucket_end)) FROM metrics) - p.delay_microseconds THEN '{NOT_COMPLETE}'
        WHEN b.is_excluded THEN '{EXCLUDED}'
    END AS omission
FROM buckets AS b JOIN parameters AS p USING (configuration)
"""  # noqa: S608 - only constants of this package are put in

_RUN = """
CREATE TEMP TABLE run AS
SELECT
    *,
    epoch_us($as_of::TIMESTAMP) // 1000000 * 1000000 - delay_microseconds AS run_ends,
    epoch_us(
        date_trunc(
            period, date_trunc('day', make_timestamp(run_ends) - to_days(days_back::INTEGER)) + to_days(week_shift)
        ) - to_days(week_shift)
    ) + 1 AS run_opens
FROM parameters
"""

_RUN_WINDOWS = f"""
CREATE TEMP VIEW windows AS
SELECT
    b.*,
    r.run_opens AS opens,
    CASE WHEN r.excludes_detection_period THEN least(b.ends, r.run_ends - r.backfill_microseconds) ELSE b.ends END
        AS closes,
    CASE
        WHEN b.bucket_end IS NULL THEN '{NO_END}'
        WHEN b.ends < r.run_opens THEN '{TOO_OLD}'
        WHEN b.ends > r.run_ends THEN '{NOT_COMPLETE}'
        WHEN b.is_excluded THEN '{EXCLUDED}'
    END AS omission
FROM buckets AS b JOIN run AS r USING (configuration)
"""  # noqa: S608 - only constants of this package are put in

_LOCATED = f"""
CREATE TEMP VIEW located AS
SELECT
    point,
    configuration,
    test,
    series AS series_a,
    {SEASON} AS series_b,
    value,
    signed,
    spikes_only,
    ends,
    opens,
    closes,
    omission
FROM windows JOIN (SELECT configuration, seasonality FROM parameters) USING (configuration)
"""  # noqa: S608 - only constants of this package are put in

_POINTS = "CREATE TEMP VIEW points AS SELECT * EXCLUDE (omission) FROM located WHERE omission IS NULL"

_SCORED_POINTS = "CREATE TEMP TABLE scored_points AS SELECT * FROM points WHERE ends > epoch_us($since::TIMESTAMP)"

_OMITTED_SINCE = """
CREATE TEMP TABLE omitted AS
SELECT point, omission FROM located WHERE omission IS NOT NULL AND ends > epoch_us($since::TIMESTAMP)
"""

_OMITTED = "CREATE TEMP TABLE omitted AS SELECT point, omission FROM located WHERE omission IS NOT NULL"

_VERDICTS = f"""
SELECT
    point,
    score,
    average AS expected_value,
    expected_min,
    expected_max,
    training_size,
    coalesce(list_position({list(KINDS)}, kind), 0)::TINYINT AS kind,
    list_position({list(REASONS)}, CASE
        WHEN score IS NOT NULL THEN '{AS_EXPECTED}' WHEN value IS NULL THEN '{NO_VALUE}' ELSE '{NOT_ENOUGH}'
    END)::TINYINT AS reason
FROM verdicts
UNION ALL BY NAME
SELECT
    point,
    0::BIGINT AS training_size,
    0::TINYINT AS kind,
    list_position({list(REASONS)}, omission)::TINYINT AS reason
FROM omitted
"""  # noqa: S608 - only constants of this package are put in
