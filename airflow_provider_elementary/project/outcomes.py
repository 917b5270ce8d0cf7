"""Reads the outcomes of dbt's tests, runs and freshness checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.newest import newest_sql
from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS, PLACE_COLUMNS
from airflow_provider_elementary.elementary_schema.statuses import level_sql, meaning_of, rank_sql, status_sql
from airflow_provider_elementary.project.executions import EXECUTIONS_SQL, PLACED, register_executions
from airflow_provider_elementary.project.facts import FreshnessCheck, NodeRun, Test
from airflow_provider_elementary.project.reading import READ, read_recent_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.project.project import Project
    from airflow_provider_elementary.snapshots import SnapshotSource

#: How many outcomes of each test and node are kept.
KEPT = 14
#: Tests that are made of rows at once.
_ROWS_AT_ONCE = 500
_TEST_TEXTS = (
    *("unique_id", "full_table_name", "parent_model_unique_id", "name", "short_name", "column_name", "severity"),
    *("quality_dimension", "warn_if", "error_if", "status"),
)


# Compared by identity: each is made once and then shared.
@dataclass(frozen=True, eq=False)
class States:
    """The current state of the tests, runs and freshness checks of a snapshot.

    :param tests: number of tests of a table by status, by the table's full name. A test without a table is under
        ``test`` and its id.
    :param runs: status of the newest execution of a table's node, by the table's full name.
    :param checks: status of the newest freshness check of a source table, by the table's full name.
    :param claimed: ids of nodes with database, schema and name of the tables that test results name for them.
    """

    tests: Mapping[str, Mapping[str, int]]
    runs: Mapping[str, str]
    checks: Mapping[str, str]
    claimed: Sequence[tuple[str, str, str, str]]


def read_states(snapshot: SnapshotSource, artifacts: Mapping[str, pa.Table], missing: list[str]) -> States:
    """Read the states of a snapshot.

    :param artifacts: the rows of artifacts that are tables.
    :param missing: receives an error message for a table that cannot be read.
    """
    import duckdb

    tests: dict[str, dict[str, int]] = defaultdict(dict)
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as engine:
        # Of large tables only these columns are read: the others are read when a person opens a table.
        register_executions(engine, _recent(snapshot, missing), artifacts, _OF_LARGE)
        for table, status, count in engine.sql(_TEST_STATES).fetchall():
            tests[table][status] = count
        return States(
            tests=dict(tests),
            runs=dict(engine.sql(_RUN_STATES).fetchall()),
            checks=dict(engine.sql(_FRESHNESS_STATES).fetchall()),
            claimed=engine.sql(_CLAIMED).fetchall(),
        )


# Compared by identity: each is made once and then shared.
@dataclass(frozen=True, eq=False)
class Outcomes:
    """The recent outcomes of the tests and nodes of a snapshot.

    :param tests: every test with its outcomes, for :func:`tests_of`.
    :param runs: the newest executions of every table's node, for :func:`runs_of`.
    :param checks: the newest freshness checks of every source table.
    :param missing: what cannot be read, in sentences.
    """

    tests: pa.Table = field(repr=False)
    runs: pa.Table = field(repr=False)
    checks: tuple[FreshnessCheck, ...] = field(repr=False)
    missing: tuple[str, ...]


def read_outcomes(snapshot: SnapshotSource) -> Outcomes:
    """Read the outcomes of a snapshot; ``missing`` names tables and categories that cannot be read."""
    import duckdb

    missing: list[str] = []
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as engine:
        artifacts = {
            table: read_recent_rows(snapshot, table, (*PLACE_COLUMNS, ARTIFACTS[table]), missing) for table in PLACED
        }
        large = ("dbt_tests", "elementary_test_results", "dbt_run_results", "dbt_source_freshness_results")
        columns = {table: READ[table].columns for table in large}
        register_executions(engine, _recent(snapshot, missing), artifacts, columns)
        return Outcomes(
            tests=engine.sql(_TESTS).to_arrow_table(),
            runs=engine.sql(_RUNS).to_arrow_table(),
            checks=tuple(FreshnessCheck(**row) for row in engine.sql(_CHECKS).to_arrow_table().to_pylist()),
            missing=tuple(dict.fromkeys(missing)),
        )


def outcome_schemas() -> tuple[pa.Schema, pa.Schema]:
    """Return which columns the tables ``tests`` and ``runs`` of :class:`Outcomes` have."""
    import pyarrow as pa

    time, texts = pa.timestamp("us"), dict.fromkeys(_TEST_TEXTS, pa.string())
    lists = {"recent": pa.list_(pa.field("l", pa.string())), "times": pa.list_(pa.field("l", time))}
    runs = {
        **{"full_table_name": pa.string(), "created_at": time, "status": pa.string(), "execution_time": pa.float64()},
        **{"rows_affected": pa.int64(), "full_refresh": pa.bool_(), "place": pa.int64()},
    }
    return pa.schema({**texts, "tested_at": time, **lists}), pa.schema(runs)


def tests_of(outcomes: Outcomes, project: Project, full_name: str) -> list[Test]:
    """Return the tests of a table, those that fail first."""
    import pyarrow.compute as pc

    from airflow_provider_elementary.arrow_values import is_one_of

    wanted = is_one_of(outcomes.tests["full_table_name"], full_name)
    if (unique_id := project.tables.get(full_name)) is not None:
        # A test without a recent result belongs to every table of its model.
        of_model = is_one_of(outcomes.tests["parent_model_unique_id"], unique_id)
        wanted = pc.or_(wanted, pc.and_(of_model, pc.is_null(outcomes.tests["full_table_name"])))
    tests = _tests(outcomes.tests.filter(wanted))
    return sorted(tests, key=lambda test: (-_rank(test.status), test.name, test.column or ""))


def tests_named(outcomes: Outcomes, unique_ids: Collection[str], tables: Collection[str]) -> list[Test]:
    """Return the tests of some ids, of these tables or of none, those that fail first."""
    import pyarrow.compute as pc

    from airflow_provider_elementary.arrow_values import is_one_of

    named = is_one_of(outcomes.tests["unique_id"], *unique_ids)
    names = outcomes.tests["full_table_name"]
    wanted = pc.and_(named, pc.or_(pc.is_null(names), is_one_of(names, *tables)))
    tests = _tests(outcomes.tests.filter(wanted))
    return sorted(tests, key=lambda test: (-_rank(test.status), test.name, test.column or ""))


def all_tests(outcomes: Outcomes) -> list[Test]:
    """Return every test of every table, those that fail first."""
    return sorted(
        _tests(outcomes.tests), key=lambda test: (-_rank(test.status), test.table, test.name, test.column or "")
    )


def runs_of(outcomes: Outcomes, full_name: str) -> list[NodeRun]:
    """Return the newest executions of a table's node, newest first."""
    from airflow_provider_elementary.arrow_values import is_one_of

    rows = outcomes.runs.filter(is_one_of(outcomes.runs["full_table_name"], full_name)).to_pylist()
    return [_run(row) for row in rows]


def newest_runs(outcomes: Outcomes) -> dict[str, NodeRun]:
    """Return the newest execution of every table's node, by the table's full name."""
    from airflow_provider_elementary.arrow_values import is_one_of

    rows = outcomes.runs.filter(is_one_of(outcomes.runs["place"], 1)).to_pylist()
    return {row["full_table_name"]: _run(row) for row in rows}


def _run(row: Mapping[str, Any]) -> NodeRun:
    return NodeRun(
        row["created_at"], row["status"], row["execution_time"], row["rows_affected"], bool(row["full_refresh"])
    )


def _recent(snapshot: SnapshotSource, missing: list[str]) -> Callable[[str, Sequence[str]], pa.Table]:
    """Return what reads recent rows of a table; ``missing`` receives an error message for one that cannot be read."""

    def read(table: str, columns: Sequence[str]) -> pa.Table:
        # Targets are configuration: without the key of that category the page knows one target only.
        return read_recent_rows(snapshot, table, columns, [] if table == "dbt_invocations" else missing)

    return read


def _rank(status: str | None) -> int:
    return -1 if status is None else meaning_of(status).rank


def _tests(rows: pa.Table) -> list[Test]:
    """Return rows as tests, which share the values that repeat: statuses, times, names of tables."""
    same: dict[Any, Any] = {}
    tests = []
    for part in rows.to_batches(max_chunksize=_ROWS_AT_ONCE):
        times = part["times"]
        for place, row in enumerate(part.drop_columns(["times"]).to_pylist()):
            tests.append(_test(row, partial(times.__getitem__, place), same))
    return tests


def _test(row: Mapping[str, Any], times: Callable[[], Any], same: dict[Any, Any]) -> Test:
    values = {
        "name": row["name"] or row["unique_id"] or "",
        "kind": row["short_name"] or "",
        "column": row["column_name"],
        "severity": (row["severity"] or "").strip().lower() or None,
        "dimension": row["quality_dimension"],
        "status": row["status"],
        "at": row["tested_at"],
        "recent": tuple(same.setdefault(status, status) for status in row["recent"] or ()),
        "table": row["full_table_name"] or "",
        "changed_at": _changed_at(row["recent"] or (), times),
        "warn_if": _limit(row["warn_if"]),
        "error_if": _limit(row["error_if"]),
    }
    return Test(**{name: same.setdefault(value, value) for name, value in values.items()})


def _limit(text: str | None) -> str | None:
    """Return a limit of failures; None for dbt's own, which says nothing."""
    found = (text or "").strip()
    return None if found in ("", "!=0", "!= 0") else found


def _changed_at(recent: Sequence[str], times: Callable[[], Any]) -> datetime | None:
    """Return when the newest status was first seen in a row; None where it is as old as what is kept.

    :param times: returns the time of each result, as Arrow holds them.
    """
    same = next((number for number, status in enumerate(recent) if status != recent[0]), None)
    return times()[same - 1].as_py() if same else None


_OF_LARGE: Mapping[str, Sequence[str]] = {
    "dbt_tests": ("unique_id", "parent_model_unique_id", "generated_at"),
    "elementary_test_results": (
        *("test_unique_id", "test_execution_id", "created_at", "detected_at", "status", "database_name"),
        *("schema_name", "table_name", "model_unique_id", "invocation_id"),
    ),
    "dbt_run_results": ("model_execution_id", "unique_id", "created_at", "status", "resource_type", "invocation_id"),
    "dbt_source_freshness_results": READ["dbt_source_freshness_results"].columns,
}


def _standing_sql() -> str:
    """Return an aggregate over executions: the newest status; a skipped execution keeps an earlier failure."""
    order = f"ORDER BY seen_at DESC NULLS LAST, {rank_sql('status')} DESC"
    newest = f"first(status {order})"
    before = f"first(status {order}) FILTER (WHERE {level_sql('status')} <> 'skipped')"
    return (
        f"CASE WHEN {level_sql(newest)} = 'skipped' AND {before} IS NOT NULL "
        f"AND {level_sql(before)} IN ('failing', 'warning') THEN {before} ELSE {newest} END"
    )


_TEST_STATES = f"""
{EXECUTIONS_SQL},
outcomes AS (SELECT test, full_table_name, {_standing_sql()} AS status FROM executions GROUP BY test, full_table_name)
SELECT full_table_name, status, count(*) AS tests FROM outcomes GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 - constants

_RUN_STATES = f"""
{EXECUTIONS_SQL}
SELECT full_table_name, {_standing_sql()} AS status FROM built GROUP BY full_table_name
"""  # noqa: S608 - constants

_FRESHNESS_STATES = f"""
{EXECUTIONS_SQL},
checks AS (
    SELECT c.created_at AS seen_at, {status_sql("status")} AS status, full_table_name
    FROM dbt_source_freshness_results AS c
    JOIN places AS p ON p.unique_id = c.unique_id AND p.invocation_id IS NOT DISTINCT FROM c.invocation_id
)
SELECT full_table_name, {_standing_sql()} AS status FROM checks GROUP BY full_table_name
"""  # noqa: S608 - constants

_CLAIMED = """
SELECT DISTINCT model_unique_id, database_name, schema_name, table_name FROM elementary_test_results
WHERE nullif(trim(model_unique_id), '') IS NOT NULL AND nullif(trim(table_name), '') IS NOT NULL
ORDER BY ALL
"""

_TESTS = f"""
{EXECUTIONS_SQL},
outcomes AS (
    SELECT
        test,
        full_table_name,
        max(seen_at) AS tested_at,
        list(status ORDER BY seen_at DESC NULLS LAST)[:{KEPT}] AS recent,
        list(seen_at ORDER BY seen_at DESC NULLS LAST)[:{KEPT}] AS times,
        {_standing_sql()} AS status
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
known AS ({newest_sql("dbt_tests")})
SELECT
    coalesce(known.unique_id, o.test) AS unique_id,
    full_table_name,
    parent_model_unique_id,
    coalesce(known.name, named.name, named_by_dbt.name) AS name,
    coalesce(known.short_name, named.short_name) AS short_name,
    coalesce(known.test_column_name, named.column_name) AS column_name,
    coalesce(known.severity, named.severity) AS severity,
    quality_dimension,
    known.warn_if,
    known.error_if,
    status,
    tested_at,
    recent,
    times
FROM outcomes AS o
LEFT JOIN named ON named.test = o.test
LEFT JOIN named_by_dbt ON named_by_dbt.test = o.test
FULL JOIN known ON known.unique_id = o.test
"""  # noqa: S608 - constants

_RUNS = f"""
{EXECUTIONS_SQL}
SELECT full_table_name, seen_at AS created_at, status, execution_time, rows_affected, full_refresh,
    row_number() OVER (PARTITION BY full_table_name ORDER BY seen_at DESC NULLS LAST) AS place
FROM built
QUALIFY place <= {KEPT}
ORDER BY full_table_name, place
"""  # noqa: S608 - constants

_CHECKS = f"""
{EXECUTIONS_SQL},
checks AS (
    SELECT c.created_at AS seen_at, {status_sql("status")} AS status, full_table_name,
        max_loaded_at_time_ago_in_s AS age
    FROM dbt_source_freshness_results AS c
    JOIN places AS p ON p.unique_id = c.unique_id AND p.invocation_id IS NOT DISTINCT FROM c.invocation_id
)
SELECT
    full_table_name AS table,
    {_standing_sql()} AS status,
    max(seen_at) AS at,
    first(age ORDER BY seen_at DESC NULLS LAST) AS age,
    list(status ORDER BY seen_at DESC NULLS LAST)[:{KEPT}] AS recent
FROM checks GROUP BY full_table_name ORDER BY full_table_name
"""  # noqa: S608 - constants
