"""Declares the facts that say which table something belongs to."""

from __future__ import annotations

import pyarrow as pa

from airflow_provider_elementary.elementary_schema.nodes import TARGET_COLUMNS, table_sql
from airflow_provider_elementary.metrics.facts import Fact

_STARTED_AT = "coalesce(try_cast(run_started_at AS TIMESTAMP), try_cast(generated_at AS TIMESTAMP), created_at)"
INVOCATIONS = Fact(
    name="invocations",
    columns={"invocation_id": pa.string(), "target_database": pa.string(), "target_schema": pa.string()},
    happened={"dbt_invocations": _STARTED_AT},
    reads={
        "dbt_invocations": (
            *("project_name", "run_started_at", "generated_at", "created_at"),
            *TARGET_COLUMNS["dbt_invocations"],
        )
    },
    query=f"""
SELECT
    {_STARTED_AT} AS happened_at,
    coalesce(nullif(trim(invocation_id), ''), happened_at::VARCHAR) AS key,
    upper(coalesce(nullif(trim(project_name), ''), 'dbt')) AS full_table_name,
    date_trunc('day', happened_at) AS day,
    created_at,
    invocation_id,
    target_database,
    target_schema
FROM dbt_invocations
WHERE isfinite(happened_at)
""",  # noqa: S608 - constants
    context={"dbt_invocations": {name: name for name in TARGET_COLUMNS["dbt_invocations"]}},
)

_DETECTED_AT = "coalesce(detected_at, created_at)"
#: The tables that test results name, one fact a day.
CLAIMS = Fact(
    name="claims",
    columns={
        "unique_id": pa.string(),
        "database_name": pa.string(),
        "schema_name": pa.string(),
        "table_name": pa.string(),
    },
    happened={},
    reads={"elementary_test_results": ("detected_at", "created_at", *TARGET_COLUMNS["elementary_test_results"])},
    query=f"""
SELECT DISTINCT
    date_trunc('day', {_DETECTED_AT}) AS day,
    concat_ws('|', model_unique_id, database_name, schema_name, table_name, day) AS key,
    {table_sql("table_name")} AS full_table_name,
    day AS happened_at,
    day AS created_at,
    model_unique_id AS unique_id,
    database_name,
    schema_name,
    table_name
FROM elementary_test_results
WHERE isfinite({_DETECTED_AT}) AND nullif(trim(model_unique_id), '') IS NOT NULL AND full_table_name IS NOT NULL
""",  # noqa: S608 - constants
    context={
        "elementary_test_results": {
            "model_unique_id": "unique_id",
            "database_name": "database_name",
            "schema_name": "schema_name",
            "table_name": "table_name",
        }
    },
)
