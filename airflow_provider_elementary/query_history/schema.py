"""Defines the table ``query_history``."""

from __future__ import annotations

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.storage.records.result_document import ResultKind

#: What the rows are; they are encrypted with a key of this category alone.
CATEGORY = Category.QUERY_LOGS
#: The kind of result that the rows are stored as.
KIND: ResultKind = "queries"
#: How many days rows are kept.
DAYS = 30

_TIME = pa.timestamp("us")

#: One row is a query, or, where ``runs`` is another number than 1, all runs of a statement between two reads.
HISTORY_SCHEMA = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("user", pa.string()),
        pa.field("role", pa.string()),
        pa.field("started_at", _TIME),
        pa.field("ended_at", _TIME, nullable=False),
        pa.field("runs", pa.int64(), nullable=False),
        pa.field("duration", pa.float64()),
        pa.field("queue_time", pa.float64()),
        pa.field("rows", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("cost", pa.float64()),
        pa.field("cost_unit", pa.string()),
        pa.field("status", pa.string()),
        pa.field("statement_hash", pa.string()),
        pa.field("statement_text", pa.string()),
        pa.field("tables", pa.string()),
        pa.field("target_table", pa.string()),
        pa.field("dbt_node", pa.string()),
    ]
)

#: How often each statement had run when the counters of a warehouse were last read, as the next run needs it.
COUNTERS_SCHEMA = pa.schema(
    [
        pa.field("entry", pa.string(), nullable=False),
        pa.field("calls", pa.int64(), nullable=False),
        pa.field("duration_ms", pa.float64()),
        pa.field("rows", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("reset_at", _TIME),
        pa.field("evictions", pa.int64()),
        pa.field("read_at", _TIME, nullable=False),
    ]
)
