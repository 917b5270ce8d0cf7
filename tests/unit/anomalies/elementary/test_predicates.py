"""Predicates out of a configuration: what may be evaluated, and what is refused."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.anomalies.elementary.predicates import METRIC_COLUMNS, duckdb_predicate
from airflow_provider_elementary.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("text", "dialect", "rendered"),
    [
        ("metric_value < 10", None, 'TRY("metric_value" < 10)'),
        ("METRIC_DATE IN ('2026-12-25', '2026-12-26')", "snowflake", None),
        ("metric_date between date '2026-11-01' and date '2026-11-03'", "postgres", None),
        ("extract(month from metric_date) = 12 or metric_name = 'row_count'", "postgres", None),
        ("date_trunc('month', metric_time_bucket) = '2026-11-01'", "redshift", None),
        ("not (dimension_value is null) and upper(full_table_name) like '%ORDERS'", "bigquery", None),
        ("1 = 1 -- drop table x", None, "TRY(1 = 1)"),
    ],
)
def test_comparisons_of_metric_columns_are_rendered_for_duckdb(
    text: str, dialect: str | None, rendered: str | None
) -> None:
    predicate = duckdb_predicate(text, METRIC_COLUMNS, dialect)

    assert predicate.startswith("TRY(")
    assert predicate == (rendered or predicate)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("metric_value > (select max(metric_value) from t)", "contains Subquery"),
        ("read_text('/etc/passwd') = ''", "contains Anonymous"),
        ("metric_date > current_date - 7", "contains CurrentDate"),
        ("secret_column = 1", "contains the column 'secret_column'"),
        ("other.metric_value = 1", "contains the column 'metric_value'"),
        ("extract(dow from metric_date) = 0", "contains EXTRACT of DOW"),
        ("getenv('HOME') is null", "contains Anonymous"),
        ("1 = 1; drop table metrics", None),
        ("metric_value >", None),
        ("metric_value like 'x%' and bucket_end > 3", "does not fit the types"),
    ],
)
def test_anything_else_is_refused(text: str, part: str | None) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        duckdb_predicate(text, METRIC_COLUMNS, "postgres")

    assert part is None or part in str(refusal.value)
