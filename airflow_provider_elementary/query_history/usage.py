"""Computes from queries how much tables and dbt nodes are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.metrics.definitions import METRICS_SCHEMA
from airflow_provider_elementary.project.usage import USAGE_SCHEMA
from airflow_provider_elementary.query_history.schema import HISTORY_SCHEMA

if TYPE_CHECKING:
    import duckdb

_SUMS = """
    sum(runs)::BIGINT AS runs, count(DISTINCT "user") AS readers, sum(duration) AS duration,
    sum(queue_time) AS queue_time, sum(bytes)::BIGINT AS bytes,
    CASE WHEN count(DISTINCT cost_unit) = 1 THEN sum(cost) END AS cost,
    CASE WHEN count(DISTINCT cost_unit) = 1 THEN any_value(cost_unit) END AS cost_unit, max(ended_at) AS last_at
"""
#: What is read of a history: no text of a query.
USAGE_COLUMNS = (
    *("query_id", "user", "ended_at", "runs", "duration", "queue_time", "bytes", "cost", "cost_unit"),
    *("tables", "dbt_node"),
)
#: A query that reads two tables counts for both: what it took cannot be divided.
_BY_TABLE = f"""
SELECT full_table_name, {_SUMS}
FROM (SELECT history.*, unnest(from_json(tables, '["VARCHAR"]')) AS full_table_name FROM history)
GROUP BY ALL ORDER BY runs DESC, full_table_name
"""  # noqa: S608 - constants
_BY_NODE = f"""
SELECT coalesce(history.dbt_node, nodes.dbt_node) AS dbt_node, {_SUMS.replace('count(DISTINCT "user") AS readers,', "")}
FROM history LEFT JOIN nodes USING (query_id)
WHERE coalesce(history.dbt_node, nodes.dbt_node) IS NOT NULL
GROUP BY ALL ORDER BY duration DESC NULLS LAST, dbt_node
"""  # noqa: S608 - constants
_BY_PROJECT = f"""
WITH ran AS ({_BY_NODE.split("ORDER BY", maxsplit=1)[0]}), reads AS (
    SELECT known.unique_id, sum(runs)::BIGINT AS reads, count(DISTINCT "user") AS readers, max(ended_at) AS last_read_at
    FROM (
        -- A query that reads a table by two names reads it once.
        SELECT DISTINCT number, tables.unique_id, "user", runs, ended_at
        FROM (SELECT row_number() OVER () AS number, * FROM history) AS history,
            unnest(from_json(history.tables, '["VARCHAR"]')) AS read(name)
            JOIN tables ON tables.name = read.name
    ) AS known GROUP BY ALL
)
SELECT coalesce(ran.dbt_node, reads.unique_id) AS unique_id, coalesce(runs, 0) AS runs, duration, queue_time, bytes,
       cost, cost_unit, last_at AS last_run_at, coalesce(reads, 0) AS reads, coalesce(readers, 0) AS readers,
       last_read_at
FROM (SELECT * FROM ran WHERE dbt_node IN (SELECT unique_id FROM tables)) AS ran
    FULL JOIN reads ON reads.unique_id = ran.dbt_node
ORDER BY unique_id
"""  # noqa: S608 - constants
#: One value a day and table, as other metrics are.
_METRICS = """
WITH reads AS (
    SELECT ended_at::DATE AS day, unnest(from_json(tables, '["VARCHAR"]')) AS full_table_name, "user", runs, duration,
           queue_time, bytes
    FROM history
), daily AS (
    SELECT day, full_table_name, sum(runs)::DOUBLE AS query_runs, count(DISTINCT "user")::DOUBLE AS query_readers,
           sum(duration) AS query_duration, sum(queue_time) AS query_queue_time, sum(bytes)::DOUBLE AS query_bytes
    FROM reads GROUP BY ALL
), long AS (
    UNPIVOT daily ON query_runs, query_readers, query_duration, query_queue_time, query_bytes
    INTO NAME metric_name VALUE metric_value
)
SELECT md5(concat_ws('|', full_table_name, metric_name, day)) AS id, full_table_name, NULL AS column_name, metric_name,
       metric_name AS metric_type, NULL AS dimension, NULL AS dimension_value, NULL AS metric_properties,
       day::TIMESTAMP AS bucket_start, day::TIMESTAMP + INTERVAL 1 DAY AS bucket_end, 24 AS bucket_duration_hours,
       metric_value, day::TIMESTAMP + INTERVAL 1 DAY AS updated_at
FROM long
ORDER BY full_table_name, metric_name, day
"""


def table_usage(history: pa.RecordBatchReader) -> pa.Table:
    """Return how often each table was read, by how many users, and what these queries took.

    :param history: as :func:`~.reader.read_query_history` returns it: of 30 days, unless fewer were asked for.
    """
    with _engine(history) as engine:
        return engine.sql(_BY_TABLE).to_arrow_table()


def node_usage(history: pa.RecordBatchReader, node_of: Mapping[str, str] | None = None) -> pa.Table:
    """Return how often each dbt node ran, and what its queries took.

    :param node_of: the node of each query id, of queries that do not name theirs: ``dbt_run_results`` has them.
    """
    with _engine(history, nodes=("query_id", "dbt_node", node_of or {})) as engine:
        return engine.sql(_BY_NODE).to_arrow_table()


def project_usage(
    history: pa.RecordBatchReader, node_of_table: Mapping[str, str], node_of: Mapping[str, str]
) -> tuple[pa.Table, datetime | None]:
    """Return the usage of the nodes of a project, in the columns of the stored usage, and when the first query ended.

    :param node_of_table: the node of each name by which a query may read its table; other tables are left out.
    :param node_of: as :func:`node_usage` takes it.
    """
    named = ("name", "unique_id", node_of_table)
    with _engine(history, nodes=("query_id", "dbt_node", node_of), tables=named) as engine:
        first = engine.sql("SELECT min(ended_at) FROM history").fetchall()[0][0]
        return engine.sql(_BY_PROJECT).to_arrow_table().cast(USAGE_SCHEMA), first


def query_metrics(history: pa.RecordBatchReader) -> pa.Table:
    """Return the daily metrics of each table that was read, in the columns of all metrics, as ``detect`` takes them."""
    with _engine(history) as engine:
        return engine.sql(_METRICS).to_arrow_table().cast(METRICS_SCHEMA)


@contextmanager
def _engine(
    history: pa.RecordBatchReader, **pairs: tuple[str, str, Mapping[str, str]]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield an engine with the rows of a history.

    :param pairs: further tables of two columns: the names of both, and the rows.
    """
    with bounded_connection() as engine:
        # The engine may spill to disk, in the clear: texts do not go there.
        columns = pa.schema([HISTORY_SCHEMA.field(name) for name in USAGE_COLUMNS])
        batches = (batch.select(columns.names) for batch in history)
        engine.register("incoming", pa.RecordBatchReader.from_batches(columns, batches))
        engine.execute("CREATE TABLE history AS SELECT * FROM incoming")
        for name, (left, right, rows) in pairs.items():
            columns = pa.schema([(left, pa.string()), (right, pa.string())])
            engine.register(name, pa.table({left: list(rows), right: list(rows.values())}, columns))
        yield engine
