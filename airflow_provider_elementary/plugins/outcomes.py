"""Reading a snapshot into how each test and each node went lately: what is shown of one table, and nothing raw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.plugins.facts import Project, Run, Test
from airflow_provider_elementary.plugins.project import RANK, READ, RUN_KINDS, SEVERITY, STATUS, rows_of

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
    :param runs: the newest executions of every node, for :func:`runs_of`.
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
        for table in ("dbt_tests", "elementary_test_results", "dbt_run_results"):
            engine.register(table, rows_of(snapshot, table, READ[table].columns, missing))
        return Outcomes(
            tests=engine.sql(_TESTS).to_arrow_table(),
            runs=engine.sql(_RUNS).to_arrow_table(),
            missing=tuple(dict.fromkeys(missing)),
        )


def tests_of(outcomes: Outcomes, project: Project, full_name: str) -> list[Test]:
    """Return the tests of a table, those that fail first."""
    import pyarrow.compute as pc

    wanted = pc.equal(outcomes.tests["full_table_name"], full_name)
    if (unique_id := project.tables.get(full_name)) is not None:
        wanted = pc.or_kleene(wanted, pc.equal(outcomes.tests["parent_model_unique_id"], unique_id))
    tests = [_test(row) for row in outcomes.tests.filter(wanted).to_pylist()]
    return sorted(tests, key=lambda test: (-SEVERITY.get(test.status or "", -1), test.name, test.column or ""))


def runs_of(outcomes: Outcomes, unique_id: str) -> list[Run]:
    """Return the newest executions of a node, newest first."""
    import pyarrow.compute as pc

    rows = outcomes.runs.filter(pc.equal(outcomes.runs["unique_id"], unique_id)).to_pylist()
    return [
        Run(row["created_at"], row["status"], row["execution_time"], row["rows_affected"], bool(row["full_refresh"]))
        for row in rows
    ]


def _test(row: Mapping[str, Any]) -> Test:
    return Test(
        name=row["name"] or row["unique_id"] or "",
        kind=row["short_name"] or "",
        column=row["column_name"],
        severity=(row["severity"] or "").lower() or None,
        dimension=row["quality_dimension"],
        status=row["status"],
        at=row["tested_at"],
        recent=tuple(row["recent"] or ()),
    )


# An anomaly test gives a row for each column and metric: the worst of them is the status of the execution.
_TESTS = f"""
WITH executions AS (
    SELECT any_value(test_unique_id) AS test_unique_id, max(created_at) AS tested_at, max({RANK}) AS rank
    FROM elementary_test_results GROUP BY test_execution_id
),
outcomes AS (
    SELECT test_unique_id, max(tested_at) AS tested_at, list({STATUS} ORDER BY tested_at DESC)[:{KEPT}] AS recent
    FROM executions GROUP BY test_unique_id
),
named AS (
    SELECT test_unique_id, any_value(test_name) AS name, any_value(test_short_name) AS short_name,
        any_value(severity) AS severity,
        any_value(upper(concat_ws('.', database_name, schema_name, table_name)))
            FILTER (WHERE table_name IS NOT NULL) AS full_table_name,
        CASE WHEN count(DISTINCT column_name) = 1 THEN any_value(column_name) END AS column_name
    FROM elementary_test_results SEMI JOIN (
        SELECT test_unique_id, max(created_at) AS created_at FROM elementary_test_results GROUP BY test_unique_id
    ) USING (test_unique_id, created_at)
    GROUP BY test_unique_id
),
known AS (
    SELECT * FROM dbt_tests
    QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC NULLS LAST) = 1
)
SELECT coalesce(known.unique_id, outcomes.test_unique_id) AS unique_id, full_table_name, parent_model_unique_id,
    coalesce(known.name, named.name) AS name, coalesce(known.short_name, named.short_name) AS short_name,
    coalesce(known.test_column_name, named.column_name) AS column_name,
    coalesce(known.severity, named.severity) AS severity, quality_dimension, recent[1] AS status, tested_at, recent
FROM outcomes JOIN named USING (test_unique_id) FULL JOIN known ON known.unique_id = outcomes.test_unique_id
"""  # noqa: S608 - constants

_RUNS = f"""
WITH executions AS (
    SELECT DISTINCT ON (model_execution_id) *
    FROM dbt_run_results WHERE resource_type IN {RUN_KINDS}
)
SELECT unique_id, created_at, status, execution_time, rows_affected, full_refresh,
    row_number() OVER (PARTITION BY unique_id ORDER BY created_at DESC) AS place
FROM executions
QUALIFY place <= {KEPT}
ORDER BY unique_id, place
"""  # noqa: S608 - constants
