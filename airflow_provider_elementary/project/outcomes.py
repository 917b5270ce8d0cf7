"""Reading a snapshot into how each test and each node went lately: what is shown of one table, and nothing raw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS, BUILT, PLACE_COLUMNS
from airflow_provider_elementary.elementary_schema.statuses import meaning_of
from airflow_provider_elementary.project.facts import Project, Run, Test
from airflow_provider_elementary.project.reading import (
    EXECUTIONS,
    READ,
    register_executions,
    rows_of,
    standing_sql,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.snapshots import SnapshotSource

#: So many outcomes are kept of each test and node.
KEPT = 14


# Compared by identity: each is made once and then shared.
@dataclass(frozen=True, eq=False)
class Outcomes:
    """How the tests and nodes of a snapshot went lately.

    :param tests: every test with its outcomes, for :func:`tests_of`.
    :param runs: the newest executions of every table's node, for :func:`runs_of`.
    :param missing: what the snapshot or the keys do not give, in sentences.
    """

    tests: pa.Table = field(repr=False)
    runs: pa.Table = field(repr=False)
    missing: tuple[str, ...]


def read_outcomes(snapshot: SnapshotSource) -> Outcomes:
    """Read a snapshot; a table or category that it or the keys do not give is told in ``missing``."""
    import duckdb

    missing: list[str] = []
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as engine:
        artifacts = {
            table: rows_of(snapshot, table, (*PLACE_COLUMNS, ARTIFACTS[table]), missing)
            for table in (*BUILT, "dbt_sources")
        }
        large = ("dbt_tests", "elementary_test_results", "dbt_run_results", "dbt_source_freshness_results")
        register_executions(engine, snapshot, artifacts, {table: READ[table].columns for table in large}, missing)
        return Outcomes(
            tests=engine.sql(_TESTS).to_arrow_table(),
            runs=engine.sql(_RUNS).to_arrow_table(),
            missing=tuple(dict.fromkeys(missing)),
        )


def tests_of(outcomes: Outcomes, project: Project, full_name: str) -> list[Test]:
    """Return the tests of a table, those that fail first."""
    import pyarrow.compute as pc

    wanted = pc.fill_null(pc.equal(outcomes.tests["full_table_name"], full_name), False)
    if (unique_id := project.tables.get(full_name)) is not None:
        # A test without a result lately: it is one of every table of its model.
        of_model = pc.fill_null(pc.equal(outcomes.tests["parent_model_unique_id"], unique_id), False)
        wanted = pc.or_(wanted, pc.and_(of_model, pc.is_null(outcomes.tests["full_table_name"])))
    tests = [_test(row) for row in outcomes.tests.filter(wanted).to_pylist()]
    return sorted(tests, key=lambda test: (-_rank(test.status), test.name, test.column or ""))


def runs_of(outcomes: Outcomes, full_name: str) -> list[Run]:
    """Return the newest executions of a table's node, newest first."""
    import pyarrow.compute as pc

    rows = outcomes.runs.filter(pc.equal(outcomes.runs["full_table_name"], full_name)).to_pylist()
    return [
        Run(row["created_at"], row["status"], row["execution_time"], row["rows_affected"], bool(row["full_refresh"]))
        for row in rows
    ]


def _rank(status: str | None) -> int:
    return -1 if status is None else meaning_of(status).rank


def _test(row: Mapping[str, Any]) -> Test:
    return Test(
        name=row["name"] or row["unique_id"] or "",
        kind=row["short_name"] or "",
        column=row["column_name"],
        severity=(row["severity"] or "").strip().lower() or None,
        dimension=row["quality_dimension"],
        status=row["status"],
        at=row["tested_at"],
        recent=tuple(row["recent"] or ()),
    )


_TESTS = f"""
{EXECUTIONS},
outcomes AS (
    SELECT
        test,
        full_table_name,
        max(seen_at) AS tested_at,
        list(status ORDER BY seen_at DESC NULLS LAST)[:{KEPT}] AS recent,
        {standing_sql()} AS status
    FROM executions GROUP BY test, full_table_name
),
named AS (
    SELECT
        test_unique_id AS test,
        any_value(test_name) AS name,
        any_value(test_short_name) AS short_name,
        any_value(severity) AS severity,
        CASE WHEN count(DISTINCT column_name) = 1 THEN any_value(column_name) END AS column_name
    FROM elementary_test_results SEMI JOIN (
        SELECT test_unique_id, max(created_at) AS created_at FROM elementary_test_results GROUP BY test_unique_id
    ) USING (test_unique_id, created_at)
    GROUP BY test_unique_id
),
named_by_dbt AS (
    SELECT unique_id AS test, any_value(name) AS name FROM dbt_run_results GROUP BY unique_id
),
known AS (
    SELECT * FROM dbt_tests WHERE nullif(trim(unique_id), '') IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC NULLS LAST) = 1
)
SELECT
    coalesce(known.unique_id, o.test) AS unique_id,
    full_table_name,
    parent_model_unique_id,
    coalesce(known.name, named.name, named_by_dbt.name) AS name,
    coalesce(known.short_name, named.short_name) AS short_name,
    coalesce(known.test_column_name, named.column_name) AS column_name,
    coalesce(known.severity, named.severity) AS severity,
    quality_dimension,
    status,
    tested_at,
    recent
FROM outcomes AS o
LEFT JOIN named ON named.test = o.test
LEFT JOIN named_by_dbt ON named_by_dbt.test = o.test
FULL JOIN known ON known.unique_id = o.test
"""  # noqa: S608 - constants

_RUNS = f"""
{EXECUTIONS}
SELECT full_table_name, seen_at AS created_at, status, execution_time, rows_affected, full_refresh,
    row_number() OVER (PARTITION BY full_table_name ORDER BY seen_at DESC NULLS LAST) AS place
FROM built
QUALIFY place <= {KEPT}
ORDER BY full_table_name, place
"""  # noqa: S608 - constants
