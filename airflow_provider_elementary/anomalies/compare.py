"""Elementary's stored verdicts beside what its rule says on the metrics that its runs saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from airflow_provider_elementary.anomalies.configurations import Configurations, read_configurations
from airflow_provider_elementary.anomalies.engine import scoring_connection
from airflow_provider_elementary.anomalies.parameters import STANDARD_DEVIATIONS
from airflow_provider_elementary.anomalies.rounding import register_equal_values
from airflow_provider_elementary.anomalies.rule import (
    RUN_DETECTION,
    RUN_STATISTICS,
    SIGNED_METRICS,
    SPIKES_ONLY_METRICS,
    create_verdicts,
    parameters_table,
)
from airflow_provider_elementary.source import Source, arrow_schema, catalog_table

#: What is read of each table; the first names are those without which no verdict can be recomputed.
_READ: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "elementary_test_results": (
        ("id", "test_execution_id", "invocation_id", "test_type", "test_sub_type", "test_params", "detected_at",
         "created_at", "table_name", "column_name", "status"),
        ("database_name", "schema_name", "model_unique_id", "test_short_name", "severity", "failures"),
    ),
    "data_monitoring_metrics": (
        ("id", "full_table_name", "column_name", "metric_name", "metric_value", "bucket_start", "bucket_end",
         "updated_at", "metric_properties"),
        ("dimension", "dimension_value", "created_at"),
    ),
    "dbt_invocations": (("invocation_id", "run_started_at"), ("vars",)),
    "dbt_run_results": (
        ("unique_id", "invocation_id", "generated_at", "created_at", "full_refresh"),
        ("materialization",),
    ),
    "dbt_models": ((), ("unique_id", "materialization")),
}  # fmt: skip

#: Only these rows are kept of a table while it is read.
_KEPT = {
    "elementary_test_results": "test_type = 'anomaly_detection'",
    "data_monitoring_metrics": "upper(full_table_name) IN (SELECT full_table_name FROM judged_tables)",
}


def compare_with_elementary(source: Source, *, adapter: str | None = None) -> pa.Table:
    """Recompute every stored verdict of an anomaly test from the metrics as its run saw them.

    :param source: holds ``elementary_test_results``; what else it lacks makes verdicts that cannot be told.
    :param adapter: dbt's name of the warehouse that computed them (its standard deviation and rounding, its SQL).
    :return: ``elementary_test_results_id``, ``stored`` and ``recomputed`` (status: pass, fail, warn), ``agreement``
        (``agree``, ``disagree``, ``cannot tell``) and ``reason``, in the order in which the tests ran.
    :raises UnknownTableError: the source holds no ``elementary_test_results``.
    """
    with _replayed_runs(source, adapter) as connection:
        return _fetch(connection, _COMPARISON)


def recompute_scores(source: Source, *, adapter: str | None = None) -> pa.Table:
    """Return every bucket that Elementary's runs scored, as the rule scores it on the metrics that they saw.

    :param source: as for :func:`compare_with_elementary`.
    :return: ``elementary_test_results_id``, ``metric_id``, ``bucket_end``, ``metric_value``, ``score``,
        ``training_avg``, ``training_stddev``, ``training_set_size``, ``min_metric_value``, ``max_metric_value``,
        ``is_anomalous``: the names that ``test_result_rows.result_row`` uses.
    """
    with _replayed_runs(source, adapter) as connection:
        return _fetch(connection, _SCORED_BUCKETS)


@contextmanager
def _replayed_runs(source: Source, adapter: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection on which ``judged`` holds the stored verdicts and ``kept`` the scored buckets of their runs."""
    with scoring_connection() as connection:
        lacking = _load(connection, source, "elementary_test_results")
        connection.execute(_JUDGED_TABLES)
        for table in ("data_monitoring_metrics", "dbt_invocations", "dbt_run_results", "dbt_models"):
            lacking += _load(connection, source, table)
        configurations = read_configurations(_fetch(connection, _CONFIGURED), adapter)
        _register(connection, configurations, adapter)
        connection.execute(_JUDGED.replace("{lacking}", _sql_text(_lack(lacking))))
        connection.execute(_SEEN)
        connection.execute(_POINTS.replace("{is_excluded}", configurations.exclusions))
        register_equal_values(connection, adapter)
        create_verdicts(connection, statistics=RUN_STATISTICS, detection=RUN_DETECTION)
        connection.execute(_SCORED.replace("{is_kept}", configurations.results))
        yield connection


def _load(connection: duckdb.DuckDBPyConnection, source: Source, table: str) -> list[str]:
    """Copy what is needed of a table; return the columns (or the table) without which nothing can be told."""
    required, useful = _READ[table]
    held = source.schema(table).names if table in source.tables() or table == "elementary_test_results" else []
    wanted = arrow_schema(catalog_table(table), [*required, *useful])
    columns = [name for name in wanted.names if name in held]
    connection.register("incoming", wanted.empty_table())
    connection.execute(f"CREATE TEMP TABLE {table} AS FROM incoming")
    connection.unregister("incoming")
    if not held:
        return [table] if required else []
    with source.read(table, columns=columns) as reader:
        connection.register("incoming", reader)
        rows = _KEPT.get(table, "TRUE")
        connection.execute(f"INSERT INTO {table} BY NAME FROM incoming WHERE {rows}")
        connection.unregister("incoming")
    return [f"{table}.{name}" for name in required if name not in columns]


def _fetch(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    table: pa.Table = connection.sql(query).to_arrow_table()
    return table


def _register(connection: duckdb.DuckDBPyConnection, configurations: Configurations, adapter: str | None) -> None:
    stddev = STANDARD_DEVIATIONS.get(adapter or "", "sample")
    connection.register("configurations", configurations.table)
    connection.register("parameters", parameters_table(configurations.parameters, stddev))


def _lack(lacking: Sequence[str]) -> str | None:
    if not lacking:
        return None
    return f"the source does not hold {', '.join(lacking)}, without which a run cannot be repeated"


def _sql_text(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


_JUDGED_TABLES = """
CREATE TEMP TABLE judged_tables AS
SELECT DISTINCT upper(concat_ws('.', nullif(database_name, ''), schema_name, table_name)) AS full_table_name
FROM elementary_test_results
"""

# Of a passing dimension test Elementary keeps only the arguments: the rest comes from the run's variables.
_CONFIGURED = """
SELECT DISTINCT r.test_params, r.test_sub_type = 'generic' AS is_generic, CASE WHEN is_generic THEN i.vars END AS vars
FROM elementary_test_results AS r LEFT JOIN dbt_invocations AS i USING (invocation_id)
"""

_JUDGED = """
CREATE TEMP TABLE judged AS
WITH results AS (
    SELECT
        *,
        test_sub_type = 'generic' AS is_generic,
        upper(concat_ws('.', nullif(database_name, ''), schema_name, table_name)) AS full_table_name
    FROM elementary_test_results
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY created_at DESC) = 1
),
runs AS (
    SELECT invocation_id, TRY_CAST(run_started_at AS TIMESTAMP) AS started_at, vars
    FROM dbt_invocations
    QUALIFY row_number() OVER (PARTITION BY invocation_id ORDER BY run_started_at DESC) = 1
),
-- What a run's own results say of full refreshes is written after its tests.
refreshes AS (
    SELECT r.id, max(TRY_CAST(b.generated_at AS TIMESTAMP)) AS refreshed_at
    FROM results AS r
    JOIN dbt_run_results AS b
        ON b.full_refresh
        AND b.unique_id = r.model_unique_id
        AND b.invocation_id <> r.invocation_id
        AND b.created_at < r.created_at
    GROUP BY r.id
),
materializations AS (
    SELECT r.id, b.materialization
    FROM results AS r
    ASOF JOIN (FROM dbt_run_results WHERE materialization IS NOT NULL) AS b
        ON b.unique_id = r.model_unique_id AND b.created_at < r.created_at
)
SELECT
    r.id,
    r.test_execution_id,
    r.status,
    r.severity,
    r.failures,
    r.detected_at,
    r.created_at,
    r.full_table_name,
    upper(r.column_name) AS column_name,
    CASE WHEN r.is_generic THEN 'dimension' ELSE r.test_sub_type END AS metric_name,
    c.configuration,
    c.metric_properties,
    c.has_timestamp,
    c.assumption,
    epoch_us(n.started_at) AS run_starts,
    epoch_us(n.started_at) // 1000000 * 1000000 - p.delay_microseconds AS run_ends,
    epoch_us(date_trunc(p.period, date_trunc('day', make_timestamp(run_ends) - to_days(p.days_back::INTEGER))))
        AS run_opens,
    CASE WHEN coalesce(k.materialization, m.materialization) = 'incremental' THEN f.refreshed_at END AS refreshed_at,
    CASE
        WHEN {lacking} IS NOT NULL THEN {lacking}
        WHEN r.status IN ('skipped', 'error') THEN 'the test was not completed: its status is ' || r.status
        WHEN r.is_generic AND (r.test_short_name IS DISTINCT FROM 'dimension_anomalies' OR r.status <> 'pass')
            THEN 'no bucket was scored: the verdict is that of dbt alone'
        WHEN c.problem IS NOT NULL THEN c.problem
        WHEN n.invocation_id IS NULL THEN 'when its run started is not known: dbt_invocations has no row of it'
        WHEN n.started_at IS NULL THEN 'when its run started is not known: its run_started_at is no time'
    END AS problem
FROM results AS r
LEFT JOIN runs AS n USING (invocation_id)
LEFT JOIN refreshes AS f USING (id)
LEFT JOIN materializations AS k USING (id)
LEFT JOIN (SELECT unique_id, any_value(materialization) AS materialization FROM dbt_models GROUP BY ALL) AS m
    ON m.unique_id = r.model_unique_id
LEFT JOIN configurations AS c
    ON c.test_params IS NOT DISTINCT FROM r.test_params
    AND c.is_generic = r.is_generic
    AND c.vars IS NOT DISTINCT FROM CASE WHEN r.is_generic THEN n.vars END
LEFT JOIN parameters AS p ON p.configuration = c.configuration
"""

# A run sees what earlier ones stored, if its window and its bucket grid admit it, and of each bucket the newest value.
# Its own metrics are stored only after its tests, so they count by when they were computed; they are scored as they
# are: off the grid, without an end, or (weeks, on a Sunday) with an end in the future.
_SEEN = """
CREATE TEMP VIEW seen AS
SELECT
    j.id AS elementary_test_results_id,
    j.test_execution_id,
    j.configuration,
    j.run_opens,
    j.run_ends,
    m.id AS metric_id,
    m.full_table_name,
    m.column_name,
    m.metric_name,
    m.metric_value,
    m.bucket_start,
    m.bucket_end,
    m.dimension,
    m.dimension_value,
    coalesce(m.bucket_start, m.bucket_end) AS metric_time_bucket,
    metric_time_bucket::DATE AS metric_date
FROM judged AS j
JOIN parameters AS p USING (configuration)
JOIN data_monitoring_metrics AS m
    ON upper(m.full_table_name) = j.full_table_name
    AND m.metric_name = j.metric_name
    AND m.metric_properties = j.metric_properties
    AND upper(m.column_name) IS NOT DISTINCT FROM j.column_name
WHERE j.problem IS NULL
    AND m.updated_at < date_trunc('second', j.detected_at) + INTERVAL 1 SECOND
    AND (m.created_at IS NULL OR m.created_at <= j.created_at)
    AND CASE
        WHEN epoch_us(m.updated_at) >= j.run_starts THEN
            m.bucket_end IS NULL
            OR (
                epoch_us(m.bucket_end) > j.run_opens
                AND (NOT j.has_timestamp OR p.period = 'week' OR epoch_us(m.bucket_end) <= j.run_ends)
            )
        ELSE
            epoch_us(m.bucket_end) > j.run_opens
            AND (j.refreshed_at IS NULL OR m.updated_at > j.refreshed_at)
            AND (
                NOT j.has_timestamp
                OR (
                    epoch_us(m.bucket_start) >= j.run_opens
                    AND epoch_us(m.bucket_end) <= j.run_ends
                    AND CASE
                        WHEN p.period = 'month' THEN
                            m.bucket_end = m.bucket_start + to_months(p.period_count::INTEGER)
                            AND make_timestamp(j.run_opens) + to_months(
                                datediff('month', make_timestamp(j.run_opens), m.bucket_start)::INTEGER
                            ) = m.bucket_start
                            AND datediff('month', make_timestamp(j.run_opens), m.bucket_start) % p.period_count = 0
                        ELSE
                            epoch_us(m.bucket_end) - epoch_us(m.bucket_start) = p.bucket_microseconds
                            AND (epoch_us(m.bucket_start) - j.run_opens) % p.bucket_microseconds = 0
                    END
                )
            )
    END
QUALIFY row_number() OVER (PARTITION BY j.id, m.id ORDER BY m.updated_at DESC) = 1
"""

_POINTS = f"""
CREATE TEMP TABLE points AS
SELECT
    s.* EXCLUDE (run_opens, run_ends, season, excludes_detection_period, backfill_microseconds),
    row_number() OVER () AS point,
    test_execution_id AS test,
    hash(elementary_test_results_id, dimension, dimension_value, season) AS series_a,
    hash(season, dimension_value, dimension, elementary_test_results_id) AS series_b,
    CASE WHEN abs(metric_value) < 1e150 THEN metric_value END AS value,
    metric_name IN {SIGNED_METRICS} AS signed,
    metric_name IN {SPIKES_ONLY_METRICS} AS spikes_only,
    -- A bucket without an end is never in the detection period, and so never anomalous and always trained on.
    epoch_us(bucket_end) AS ends,
    CASE WHEN excludes_detection_period AND ends > run_ends - backfill_microseconds THEN NULL ELSE value END AS trained
FROM (
    SELECT
        seen.*,
        excludes_detection_period,
        backfill_microseconds,
        CASE seasonality
            WHEN 'day_of_week' THEN dayofweek(bucket_end)
            WHEN 'hour_of_day' THEN hour(bucket_end)
            WHEN 'hour_of_week' THEN 24 * dayofweek(bucket_end) + hour(bucket_end)
            ELSE 0
        END AS season
    FROM seen JOIN parameters USING (configuration)
) AS s
WHERE NOT coalesce({{is_excluded}}, FALSE)
"""  # noqa: S608 - only constants of this package are put in

_SCORED = """
CREATE TEMP VIEW scored AS
SELECT *, coalesce({is_kept}, FALSE) AS is_kept
FROM (
    SELECT
        *,
        average AS training_avg,
        deviation AS training_stddev,
        training_size AS training_set_size,
        score AS anomaly_score
    FROM verdicts
    WHERE value IS NOT NULL AND average IS NOT NULL
)
"""

_SCORED_BUCKETS = """
SELECT
    elementary_test_results_id,
    metric_id,
    bucket_end,
    metric_value,
    score,
    training_avg,
    training_stddev,
    training_set_size,
    expected_min AS min_metric_value,
    expected_max AS max_metric_value,
    is_anomalous
FROM scored
WHERE is_kept
ORDER BY elementary_test_results_id, bucket_end, metric_id
"""

_COMPARISON = """
WITH recomputed AS (
    SELECT
        elementary_test_results_id AS id,
        count(*) AS buckets,
        count(bucket_end) AS ended,
        count(*) FILTER (WHERE is_anomalous AND is_kept) AS anomalies,
        max(abs(score)) AS largest
    FROM scored
    GROUP BY elementary_test_results_id
),
told AS (
    SELECT
        j.*,
        buckets,
        anomalies,
        coalesce(j.failures, CASE WHEN status = 'pass' THEN 0 ELSE anomalies END) AS stored_anomalies,
        CASE
            WHEN anomalies = 0 THEN 'pass'
            WHEN status <> 'pass' THEN status
            WHEN lower(severity) = 'warn' THEN 'warn'
            ELSE 'fail'
        END AS answer,
        anomalies = stored_anomalies AND answer = status AS is_same,
        CASE
            WHEN problem IS NOT NULL THEN problem
            WHEN buckets IS NULL THEN 'no metrics of this test are left as its run saw them'
            WHEN ended = 0 THEN 'no bucket that its run scored has an end, so their order is not known'
            WHEN NOT is_same AND assumption IS NOT NULL THEN assumption || ', under which it would not pass'
        END AS doubt,
        format('{} of {} buckets anomalous', anomalies, buckets)
            || coalesce(format(', largest score {:.3f}', largest), ', none with enough history') AS found
    FROM judged AS j LEFT JOIN recomputed USING (id)
)
SELECT
    id AS elementary_test_results_id,
    status AS stored,
    CASE WHEN doubt IS NULL THEN answer END AS recomputed,
    CASE WHEN doubt IS NOT NULL THEN 'cannot tell' WHEN is_same THEN 'agree' ELSE 'disagree' END AS agreement,
    CASE
        WHEN doubt IS NOT NULL THEN doubt
        WHEN is_same THEN found || coalesce('; ' || assumption, '')
        ELSE format('{}; Elementary stored {}', found, stored_anomalies)
    END AS reason
FROM told
ORDER BY detected_at, id
"""
