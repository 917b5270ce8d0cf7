"""Declares the metrics of how far tests cover a model."""

from __future__ import annotations

import pyarrow as pa

from airflow_provider_elementary.elementary_schema.newest import newest_sql
from airflow_provider_elementary.metrics.definitions import MODEL_COLUMNS, MODELS, Definition, Metric
from airflow_provider_elementary.metrics.facts import Fact

_HAPPENED_AT = "coalesce(try_cast(generated_at AS TIMESTAMP), created_at)"

# Artifacts hold the present only, so that each run adds the point of its own day. Elementary's own models are no
# tables of anybody's.
_COVERAGES = Fact(
    name="model_coverage",
    columns={"test_count": pa.float64(), "test_coverage": pa.float64()},
    happened={"dbt_invocations": _HAPPENED_AT},
    reads={"dbt_models": ("name",)},
    query=f"""
WITH {MODELS},
tests AS (
    SELECT unique_id, parent_model_unique_id, lower(test_column_name) AS column_name
    FROM ({newest_sql("dbt_tests")})
),
tested AS (
    SELECT
        parent_model_unique_id AS unique_id,
        count(*) AS tests,
        count(DISTINCT column_name) AS columns_tested
    FROM tests GROUP BY ALL
),
known AS (
    SELECT parent_unique_id AS unique_id, lower(name) AS column_name FROM dbt_columns WHERE name IS NOT NULL
    UNION
    SELECT parent_model_unique_id, column_name FROM tests WHERE column_name IS NOT NULL
),
width AS (SELECT unique_id, count(*) AS columns FROM known GROUP BY ALL),
present AS (SELECT max({_HAPPENED_AT}) AS happened_at FROM dbt_invocations)
SELECT
    date_trunc('day', happened_at) AS day,
    concat_ws('|', unique_id, full_table_name, day) AS key,
    full_table_name,
    happened_at,
    happened_at AS created_at,
    coalesce(tests, 0)::DOUBLE AS test_count,
    100.0 * coalesce(columns_tested, 0) / columns AS test_coverage
FROM models LEFT JOIN tested USING (unique_id) LEFT JOIN width USING (unique_id) CROSS JOIN present
WHERE unique_id NOT LIKE 'model.elementary.%' AND isfinite(happened_at)
""",  # noqa: S608 - constants
)

_COVERAGE = """
SELECT
    full_table_name,
    metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    metric_value,
    happened_at AS updated_at
FROM (UNPIVOT model_coverage ON test_count, test_coverage INTO NAME metric_name VALUE metric_value)
"""

COVERAGE_DEFINITIONS = (
    Definition(
        metrics=(
            Metric("test_count", "tests", "tests whose parent is the model, 0 where there are none", is_scored=False),
            Metric("test_coverage", "%", "known columns of the model with a test of their own", is_scored=False),
        ),
        grain="one model, one day (UTC) with a dbt invocation, as it was at the last sync of the day",
        needs={
            "dbt_models": MODEL_COLUMNS,
            "dbt_tests": ("unique_id", "generated_at", "parent_model_unique_id", "test_column_name"),
            "dbt_columns": ("parent_unique_id", "name"),
            "dbt_invocations": ("generated_at", "created_at"),
        },
        useful={"dbt_models": ("name",)},
        facts=(_COVERAGES,),
        query=_COVERAGE,
    ),
)
