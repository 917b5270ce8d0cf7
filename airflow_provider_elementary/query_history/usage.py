"""Computes from queries how much tables and dbt nodes are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.metrics.definitions import METRICS_SCHEMA
from airflow_provider_elementary.query_history.schema import HISTORY_SCHEMA

_SUMS = """
    sum(runs)::BIGINT AS runs, count(DISTINCT "user") AS readers, sum(duration) AS duration,
    sum(queue_time) AS queue_time, sum(bytes)::BIGINT AS bytes, max(ended_at) AS last_at
"""
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
    return _computed(history, _BY_TABLE)


def node_usage(history: pa.RecordBatchReader, node_of: Mapping[str, str] | None = None) -> pa.Table:
    """Return how often each dbt node ran, and what its queries took.

    :param node_of: the node of each query id, of queries that do not name theirs: ``dbt_run_results`` has them.
    """
    return _computed(history, _BY_NODE, node_of)


def query_metrics(history: pa.RecordBatchReader) -> pa.Table:
    """Return the daily metrics of each table that was read, in the columns of all metrics, as ``detect`` takes them."""
    return _computed(history, _METRICS).cast(METRICS_SCHEMA)


def _computed(history: pa.RecordBatchReader, query: str, node_of: Mapping[str, str] | None = None) -> pa.Table:
    with bounded_connection() as engine:
        # The engine may spill to disk, in the clear: texts do not go there.
        engine.register("incoming", _without_texts(history))
        engine.execute("CREATE TABLE history AS SELECT * FROM incoming")
        nodes = {"query_id": list(node_of or ()), "dbt_node": list((node_of or {}).values())}
        engine.register("nodes", pa.table(nodes, pa.schema([("query_id", pa.string()), ("dbt_node", pa.string())])))
        return engine.sql(query).to_arrow_table()


def _without_texts(history: pa.RecordBatchReader) -> pa.RecordBatchReader:
    names = [name for name in HISTORY_SCHEMA.names if name not in ("statement_text", "statement_hash")]
    batches: Iterable[pa.RecordBatch] = (batch.select(names) for batch in history)
    return pa.RecordBatchReader.from_batches(pa.schema([HISTORY_SCHEMA.field(name) for name in names]), batches)
