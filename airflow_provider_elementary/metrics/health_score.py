"""Declares the health score, by quality dimension and in total."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_provider_elementary.metrics.definitions import Metric
from airflow_provider_elementary.metrics.test_result_metrics import (
    EXECUTIONS,
    RESULT_COLUMNS,
    of_test_results,
)

#: How much each dimension of quality counts in the total; ``other`` is tests of which none is known.
HEALTH_WEIGHTS: Mapping[str, float] = MappingProxyType(
    dict.fromkeys(("accuracy", "completeness", "consistency", "freshness", "uniqueness", "validity", "other"), 1.0)
)

_HEALTH = f"""
{EXECUTIONS},
last AS (
    SELECT
        full_table_name,
        day,
        ran_at,
        quality_dimension AS dimension_value,
        CASE severity WHEN 0 THEN 100 WHEN 1 THEN 50 ELSE 0 END AS points
    FROM executions
    QUALIFY row_number() OVER (PARTITION BY test, full_table_name, day ORDER BY ran_at DESC, execution) = 1
),
scores AS (
    SELECT full_table_name, day, dimension_value, avg(points) AS points, max(ran_at) AS updated_at
    FROM last GROUP BY ALL
)
SELECT
    full_table_name,
    'health_score' AS metric_name,
    'quality_dimension' AS dimension,
    dimension_value,
    day,
    points AS metric_value,
    updated_at
FROM scores
UNION ALL BY NAME
SELECT
    full_table_name,
    'health_score' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    sum(points * coalesce(weight, 0)) / nullif(sum(coalesce(weight, 0)), 0) AS metric_value,
    max(updated_at) AS updated_at
FROM scores LEFT JOIN health_weights USING (dimension_value)
GROUP BY full_table_name, day
HAVING metric_value IS NOT NULL
"""  # noqa: S608 - constants

HEALTH_DEFINITIONS = (
    of_test_results(
        metrics=(
            Metric(
                "health_score",
                "0-100",
                "a test that passed in its last execution of the day is worth 100, one that warned 50, any other 0; "
                "the mean per quality dimension, and without a dimension the weighted mean of these",
                is_scored=False,
            ),
        ),
        grain="one table and quality dimension (in dimension_value), one day (UTC) on which a test of it ran",
        needs={"elementary_test_results": RESULT_COLUMNS},
        query=_HEALTH,
    ),
)
