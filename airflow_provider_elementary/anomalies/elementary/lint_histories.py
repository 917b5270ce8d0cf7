"""Reads the stored history of each monitor, and where it was restarted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.source import Source, reader_of, with_own_errors

HISTORY_COLUMNS = (
    "full_table_name",
    "column_name",
    "metric_name",
    "dimension_value",
    "metric_properties",
    "updated_at",
    "bucket_end",
)
_WINDOWS = pa.schema(
    [
        ("full_table_name", pa.string()),
        ("column_name", pa.string()),
        ("metric_name", pa.string()),
        ("metric_properties", pa.string()),
        ("days_back", pa.int32()),
        ("seasonality", pa.string()),
        ("number", pa.int64()),
    ]
)


@contextmanager
def read_histories(source: Source) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection on which ``history`` holds every bucket of every monitor once, values by their hashes.

    :param source: holds data_monitoring_metrics with :data:`HISTORY_COLUMNS`.
    """
    configurations: set[str | None] = set()

    def noted(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            configurations.update(pc.unique(batch["metric_properties"]).to_pylist())
            yield batch

    with bounded_connection() as connection:
        with (
            source.read("data_monitoring_metrics", columns=list(HISTORY_COLUMNS)) as reader,
            with_own_errors(reader) as rows,
        ):
            connection.register("incoming", reader_of(rows.schema, noted(rows)))
            connection.execute(_HISTORY)
            connection.unregister("incoming")
        texts = pa.array(sorted(filter(None, configurations)), pa.string())
        connection.register("properties", pa.table({"metric_properties": texts}))
        yield connection


def resets(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return the monitors whose history was restarted: keys, both configurations, when, and numbers of buckets."""
    rows: list[dict[str, Any]] = connection.sql(_RESETS).to_arrow_table().to_pylist()
    return rows


def points_in_window(connection: duckdb.DuckDBPyConnection, windows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return how many buckets each monitor has to compare its newest bucket with; the most of its dimension values.

    :param windows: ``full_table_name``, ``column_name``, ``metric_name``, ``metric_properties``, ``days_back`` and
        ``seasonality`` of each.
    """
    numbered = [{**window, "number": number} for number, window in enumerate(windows)]
    connection.register("windows", pa.Table.from_pylist(numbered, schema=_WINDOWS))
    found = dict(connection.sql(_POINTS).fetchall())
    return [found.get(number, 0) for number in range(len(windows))]


_HISTORY = """
CREATE TEMP TABLE history AS
SELECT
    full_table_name,
    column_name,
    metric_name,
    hash(dimension_value) AS dimension_value,
    hash(metric_properties) AS configuration,
    bucket_end,
    min(updated_at) AS first_at,
    max(updated_at) AS last_at
FROM incoming
WHERE bucket_end IS NOT NULL AND full_table_name IS NOT NULL AND metric_name IS NOT NULL
GROUP BY ALL
"""

# A second configuration beside the first is another test; one that begins when the first has ended took its place.
_RESETS = """
WITH configurations AS (
    SELECT
        full_table_name,
        column_name,
        metric_name,
        configuration,
        min(first_at) AS first_at,
        max(last_at) AS last_at,
        count(DISTINCT bucket_end) AS buckets
    FROM history
    GROUP BY ALL
)
SELECT
    new.full_table_name,
    new.column_name,
    new.metric_name,
    p.metric_properties AS old_properties,
    q.metric_properties AS new_properties,
    new.first_at,
    old.buckets AS lost,
    new.buckets AS gained
FROM configurations AS new
JOIN configurations AS old
    ON old.full_table_name = new.full_table_name
    AND old.column_name IS NOT DISTINCT FROM new.column_name
    AND old.metric_name = new.metric_name
    AND old.last_at < new.first_at
JOIN properties AS p ON hash(p.metric_properties) = old.configuration
JOIN properties AS q ON hash(q.metric_properties) = new.configuration
QUALIFY row_number() OVER (
    PARTITION BY new.full_table_name, new.column_name, new.metric_name, new.configuration ORDER BY old.last_at DESC
) = 1
"""

_POINTS = """
WITH seen AS (
    SELECT
        number,
        dimension_value,
        bucket_end,
        days_back,
        CASE seasonality
            WHEN 'day_of_week' THEN dayofweek(bucket_end)
            WHEN 'hour_of_day' THEN hour(bucket_end)
            WHEN 'hour_of_week' THEN 24 * dayofweek(bucket_end) + hour(bucket_end)
            ELSE 0
        END AS season,
        max(bucket_end) OVER (PARTITION BY number) AS newest
    FROM windows AS w JOIN history AS h
        ON h.full_table_name = w.full_table_name
        AND upper(h.column_name) IS NOT DISTINCT FROM upper(w.column_name)
        AND h.metric_name = w.metric_name
        AND h.configuration = hash(w.metric_properties)
)
SELECT number, max(points)
FROM (
    SELECT number, dimension_value, season, count(DISTINCT bucket_end) AS points
    FROM seen WHERE bucket_end > newest - to_days(days_back) GROUP BY ALL
)
GROUP BY number
"""
