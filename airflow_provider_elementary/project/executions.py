"""Puts together the executions of tests, runs and freshness checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_provider_elementary.elementary_schema.nodes import (
    ARTIFACTS,
    BUILT,
    PLACE_COLUMNS,
    TARGET_COLUMNS,
    TEST_PARENTS_SQL,
    TEST_PREFIX,
    places_sql,
    table_sql,
)
from airflow_provider_elementary.elementary_schema.statuses import rank_sql, status_sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

#: The artifacts that say which table a node has.
PLACED = (*BUILT, "dbt_sources")

_KIND = "coalesce(nullif(lower(trim(resource_type)), ''), split_part(unique_id, '.', 1))"

# An anomaly test gives a row for each column and metric: the worst of them is the status of the execution. Executions
# that Elementary has no result of (unit tests, tests that broke) are in the run results of dbt. Before Elementary 0.7 a
# result names no invocation: then the run results of that test say nothing new.
RESULTS_SQL = f"""
CREATE TEMP VIEW results AS
WITH {TEST_PARENTS_SQL}
SELECT
    coalesce(nullif(trim(test_execution_id), ''), concat_ws('|', test_unique_id, invocation_id, created_at))
        AS execution,
    test_unique_id AS test,
    {table_sql("table_name")} AS named_table,
    coalesce(nullif(trim(model_unique_id), ''), parent) AS node,
    invocation_id,
    coalesce(created_at, detected_at) AS seen_at,
    {status_sql("status")} AS status
FROM elementary_test_results LEFT JOIN parents ON parents.unique_id = test_unique_id
WHERE nullif(trim(test_unique_id), '') IS NOT NULL
UNION ALL
SELECT
    coalesce(nullif(trim(model_execution_id), ''), concat_ws('|', unique_id, invocation_id, created_at)),
    unique_id,
    NULL,
    parent,
    invocation_id,
    created_at,
    {status_sql("status")}
FROM dbt_run_results AS r
LEFT JOIN parents USING (unique_id)
ANTI JOIN (
    SELECT test_unique_id AS unique_id, invocation_id FROM elementary_test_results
) AS known USING (unique_id, invocation_id)
ANTI JOIN (
    SELECT test_unique_id AS unique_id FROM elementary_test_results WHERE invocation_id IS NULL
) AS known_once USING (unique_id)
WHERE {_KIND} IN ('test', 'unit_test') AND nullif(trim(unique_id), '') IS NOT NULL;

CREATE TEMP VIEW runs AS
SELECT *, created_at AS seen_at FROM dbt_run_results WHERE {_KIND} IN ('model', 'snapshot', 'seed');

-- Each of several queries asks for them.
CREATE TEMP TABLE places AS
WITH acted AS (
    SELECT DISTINCT node AS unique_id, invocation_id FROM results WHERE named_table IS NULL
    UNION SELECT unique_id, invocation_id FROM runs
    UNION SELECT unique_id, invocation_id FROM dbt_source_freshness_results
),
{places_sql(PLACED)}
SELECT * FROM places
"""  # noqa: S608 - constants

EXECUTIONS_SQL = f"""
WITH executions AS (
    SELECT
        execution,
        any_value(test) AS test,
        coalesce(any_value(named_table), any_value(full_table_name), '{TEST_PREFIX}' || any_value(test))
            AS full_table_name,
        max(seen_at) AS seen_at,
        first(status ORDER BY {rank_sql("status")} DESC, status) AS status,
        any_value(r.invocation_id) AS invocation_id
    FROM results AS r
    LEFT JOIN places AS p
        ON named_table IS NULL AND p.unique_id = node AND p.invocation_id IS NOT DISTINCT FROM r.invocation_id
    GROUP BY execution
),
built AS (
    SELECT DISTINCT ON (coalesce(nullif(trim(model_execution_id), ''), concat_ws('|', r.unique_id, seen_at)))
        r.* REPLACE ({status_sql("status")} AS status), full_table_name
    FROM runs AS r
    JOIN places AS p ON p.unique_id = r.unique_id AND p.invocation_id IS NOT DISTINCT FROM r.invocation_id
    ORDER BY seen_at DESC NULLS LAST, r.status, full_table_name
)
"""  # noqa: S608 - constants


def register_executions(
    engine: duckdb.DuckDBPyConnection,
    read: Callable[[str, Sequence[str]], pa.Table],
    artifacts: Mapping[str, pa.Table],
    columns: Mapping[str, Sequence[str]],
) -> None:
    """Make the tables that :data:`EXECUTIONS_SQL` reads.

    :param read: returns columns of a table.
    :param artifacts: the rows of :data:`PLACED`.
    :param columns: by table of results, the columns to read.
    """
    for artifact in PLACED:
        engine.register(artifact, artifacts[artifact].select([*PLACE_COLUMNS, ARTIFACTS[artifact]]))
    for table, names in columns.items():
        engine.register(table, read(table, names))
    engine.register("dbt_invocations", read("dbt_invocations", TARGET_COLUMNS["dbt_invocations"]))
    engine.execute(RESULTS_SQL)
