"""Reading a snapshot into what the page knows of the dbt project: its nodes, and how their tests and runs ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.json_text import words_of
from airflow_provider_elementary.elementary_schema.nodes import (
    ARTIFACTS,
    BUILT,
    PLACE_COLUMNS,
    TARGET_COLUMNS,
    TEST_PREFIX,
    Claim,
    nodes_by_table,
    places_sql,
    relation_name,
    table_name,
    table_of,
    table_sql,
)
from airflow_provider_elementary.elementary_schema.statuses import level_sql, rank_sql, status_sql
from airflow_provider_elementary.exceptions import ElementaryError, UnknownTableError
from airflow_provider_elementary.project.facts import Invocation, Node, Project

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from airflow_provider_elementary.snapshots import SnapshotSource

#: Tests and runs of this long before the newest are looked at.
RECENT = timedelta(days=14)
_OWN_PACKAGE = "elementary"

_KINDS: Mapping[str, str] = {
    "dbt_models": "model",
    "dbt_snapshots": "snapshot",
    "dbt_seeds": "seed",
    "dbt_sources": "source",
    "dbt_exposures": "exposure",
}


@dataclass(frozen=True)
class _Read:
    """What is read of a table.

    :param columns: by name, none of them raw values, SQL text or secrets; where the source lacks one it is null.
    :param recent: only what is recent is read.
    """

    columns: tuple[str, ...]
    recent: bool = False


_NODE_COLUMNS = (
    *("unique_id", "database_name", "schema_name", "alias", "identifier", "name", "owner", "owner_email", "tags"),
    *("description", "materialization", "path", "group_name", "depends_on_nodes", "package_name", "generated_at"),
)
#: Every column of the snapshot that the page reads.
READ: Mapping[str, _Read] = {
    **dict.fromkeys(_KINDS, _Read(_NODE_COLUMNS)),
    "dbt_tests": _Read(
        (
            *("unique_id", "name", "short_name", "test_column_name", "severity", "quality_dimension"),
            *("parent_model_unique_id", "generated_at"),
        )
    ),
    "elementary_test_results": _Read(
        (
            *("test_unique_id", "test_execution_id", "created_at", "status", "database_name", "schema_name"),
            *("table_name", "column_name", "test_name", "test_short_name", "severity", "model_unique_id"),
            *("invocation_id", "detected_at"),
        ),
        recent=True,
    ),
    "dbt_run_results": _Read(
        (
            *("model_execution_id", "unique_id", "created_at", "status", "resource_type", "execution_time"),
            *("rows_affected", "full_refresh", "name", "invocation_id"),
        ),
        recent=True,
    ),
    "dbt_source_freshness_results": _Read(("unique_id", "created_at", "status", "invocation_id"), recent=True),
    "dbt_invocations": _Read(("created_at", "command", "project_name", "job_name", "orchestrator"), recent=True),
}


def read_project(snapshot: SnapshotSource) -> Project:
    """Read a snapshot; a table or category that it or the keys do not give is told in ``missing``."""
    import duckdb

    missing: list[str] = []
    artifacts = {table: rows_of(snapshot, table, READ[table].columns, missing) for table in _KINDS}
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as engine:
        # Of what is large only these columns are read: the rest waits until somebody looks at a table.
        register_executions(engine, snapshot, artifacts, _OF_LARGE, missing)
        tests = engine.sql(_TEST_STATES).to_arrow_table().to_pylist()
        runs = engine.sql(_RUN_STATES).fetchall()
        checks = engine.sql(_FRESHNESS_STATES).fetchall()
        claimed = engine.sql(_CLAIMED).fetchall()
    nodes, claims, own = _nodes(artifacts, claimed)
    invocations = rows_of(snapshot, "dbt_invocations", READ["dbt_invocations"].columns, missing).to_pylist()
    downstream: dict[str, list[str]] = defaultdict(list)
    for node in nodes.values():
        for unique_id in node.upstream:
            downstream[unique_id].append(node.unique_id)
    known = (claim for claim in claims if claim.unique_id in nodes and nodes[claim.unique_id].kind != "exposure")
    test_states: dict[str, dict[str, int]] = defaultdict(dict)
    for row in tests:
        test_states[row["full_table_name"]][row["status"]] = row["tests"]
    return Project(
        nodes=nodes,
        tables=nodes_by_table(known),
        own=frozenset(claim.table for claim in claims if claim.unique_id in own),
        downstream={unique_id: tuple(ids) for unique_id, ids in downstream.items()},
        test_states=dict(test_states),
        run_states=dict(runs),
        freshness_states=dict(checks),
        invocation=_newest(invocations),
        missing=tuple(dict.fromkeys(missing)),
    )


def register_executions(
    engine: duckdb.DuckDBPyConnection,
    snapshot: SnapshotSource,
    artifacts: Mapping[str, pa.Table],
    columns: Mapping[str, Sequence[str]],
    missing: list[str],
) -> None:
    """Give DuckDB what :data:`EXECUTIONS` reads.

    :param artifacts: the rows of :data:`..elementary_schema.nodes.ARTIFACTS` that are tables.
    :param columns: by table, what to read of it.
    :param missing: is told what cannot be read.
    """
    for artifact in _PLACED:
        engine.register(artifact, artifacts[artifact].select([*PLACE_COLUMNS, ARTIFACTS[artifact]]))
    for table, names in columns.items():
        engine.register(table, rows_of(snapshot, table, names, missing))
    # Targets are configuration: a page whose keys do not open it knows of one target only.
    engine.register("dbt_invocations", rows_of(snapshot, "dbt_invocations", TARGET_COLUMNS["dbt_invocations"], []))


def rows_of(snapshot: SnapshotSource, table: str, columns: Sequence[str], missing: list[str]) -> pa.Table:
    """Return columns of a table; what the snapshot does not give is null or not there.

    :param columns: of those that :data:`READ` names.
    :param missing: is told what cannot be read, in a sentence.
    """
    import pyarrow as pa

    from airflow_provider_elementary.source import arrow_schema, catalog_table

    known = catalog_table(table)
    wanted = [name for name in columns if known.column(name)]
    schema = arrow_schema(known, wanted)
    try:
        held = [name for name in wanted if name in snapshot.schema(table).names]
        with snapshot.read(table, columns=held, since=_since(snapshot, table)) as reader:
            rows = reader.read_all()
    except UnknownTableError:
        return schema.empty_table()
    except ElementaryError as error:
        missing.append(str(error))
        return schema.empty_table()
    arrays = [rows[name] if name in held else pa.nulls(len(rows), schema.field(name).type) for name in wanted]
    return pa.table(arrays, schema=schema)


def _since(snapshot: SnapshotSource, table: str) -> datetime | None:
    """Return from when on rows of a table are recent: counted from its newest row, so that old snapshots show too."""
    if not READ[table].recent:
        return None
    newest = [file.max_watermark for file in snapshot.manifest.files if file.table == table and file.max_watermark]
    return datetime.fromisoformat(max(newest)).replace(tzinfo=None) - RECENT if newest else None


def _nodes(
    artifacts: Mapping[str, pa.Table], claimed: Sequence[tuple[str, str, str, str]]
) -> tuple[dict[str, Node], list[Claim], set[str]]:
    """Return the nodes by id, which of them names which table, and the ids of Elementary's own; the newest row counts.

    :param claimed: ids of nodes with database, schema and name of the tables that test results name for them.
    """
    nodes: dict[str, Node] = {}
    own: set[str] = set()
    claims = [Claim(unique_id, table_name(*place), is_artifact=False) for unique_id, *place in claimed]
    for artifact, kind in _KINDS.items():
        rows = [row for row in artifacts[artifact].to_pylist() if (row["unique_id"] or "").strip()]
        for row in sorted(rows, key=lambda row: row.get("generated_at") or ""):
            claim = Claim(row["unique_id"], table_of(row, artifact), generated_at=row.get("generated_at") or "")
            if not claim.table:
                continue
            claims.append(claim)
            if row.get("package_name") == _OWN_PACKAGE:
                own.add(row["unique_id"])
            elif row.get("materialization") != "ephemeral":
                nodes[row["unique_id"]] = _node(row, kind, artifact, claim.table)
    return nodes, claims, own


def _node(row: Mapping[str, Any], kind: str, artifact: str, table: str) -> Node:
    name = relation_name(row, artifact)
    return Node(
        unique_id=row["unique_id"],
        kind=kind,
        full_name=name if kind == "exposure" else table,
        schema=table_name(None, row.get("database_name"), row.get("schema_name")),
        name=name,
        owners=tuple(dict.fromkeys((*words_of(row.get("owner")), *words_of(row.get("owner_email"))))),
        tags=words_of(row.get("tags")),
        description=(row.get("description") or "").strip(),
        materialization=row.get("materialization") or "",
        path=row.get("path") or "",
        group=row.get("group_name") or "",
        upstream=words_of(row.get("depends_on_nodes")),
    )


def _newest(invocations: Sequence[Mapping[str, Any]]) -> Invocation | None:
    row = max(invocations, key=lambda row: row["created_at"] or datetime.min, default=None)
    if row is None:
        return None
    return Invocation(
        row["created_at"], row["command"] or "", row["project_name"], row["job_name"], row["orchestrator"]
    )


_PLACED = (*BUILT, "dbt_sources")
_OF_LARGE: Mapping[str, Sequence[str]] = {
    "dbt_tests": ("unique_id", "parent_model_unique_id", "generated_at"),
    "elementary_test_results": (
        *("test_unique_id", "test_execution_id", "created_at", "detected_at", "status", "database_name"),
        *("schema_name", "table_name", "model_unique_id", "invocation_id"),
    ),
    "dbt_run_results": ("model_execution_id", "unique_id", "created_at", "status", "resource_type", "invocation_id"),
    "dbt_source_freshness_results": READ["dbt_source_freshness_results"].columns,
}
_KIND = "coalesce(nullif(lower(trim(resource_type)), ''), split_part(unique_id, '.', 1))"

# An anomaly test gives a row for each column and metric: the worst of them is the status of the execution. What
# Elementary has no result of (unit tests) is in the run results of dbt.
EXECUTIONS = f"""
WITH parents AS (
    SELECT unique_id, arg_max(nullif(trim(parent_model_unique_id), ''), coalesce(generated_at, '')) AS parent
    FROM dbt_tests WHERE unique_id IS NOT NULL GROUP BY unique_id
),
results AS (
    SELECT
        coalesce(nullif(trim(test_execution_id), ''), concat_ws('|', test_unique_id, invocation_id, created_at))
            AS execution,
        test_unique_id AS test,
        {table_sql("database_name", "schema_name", "table_name")} AS named_table,
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
    FROM dbt_run_results
    LEFT JOIN parents USING (unique_id)
    ANTI JOIN (SELECT test_unique_id AS unique_id FROM elementary_test_results) AS known USING (unique_id)
    WHERE {_KIND} IN ('test', 'unit_test') AND nullif(trim(unique_id), '') IS NOT NULL
),
runs AS (
    SELECT *, created_at AS seen_at FROM dbt_run_results WHERE {_KIND} IN ('model', 'snapshot', 'seed')
),
acted AS (
    SELECT DISTINCT node AS unique_id, invocation_id FROM results WHERE named_table IS NULL
    UNION SELECT unique_id, invocation_id FROM runs
    UNION SELECT unique_id, invocation_id FROM dbt_source_freshness_results
),
{places_sql(_PLACED)},
executions AS (
    SELECT
        execution,
        any_value(test) AS test,
        coalesce(any_value(named_table), any_value(full_table_name), '{TEST_PREFIX}' || any_value(test))
            AS full_table_name,
        max(seen_at) AS seen_at,
        first(status ORDER BY {rank_sql("status")} DESC, status) AS status
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
)
"""  # noqa: S608 - constants


def standing_sql() -> str:
    """Return an aggregate over executions: the newest status. What was skipped leaves a failure as it was."""
    order = f"ORDER BY seen_at DESC NULLS LAST, {rank_sql('status')} DESC"
    newest = f"first(status {order})"
    before = f"first(status {order}) FILTER (WHERE {level_sql('status')} <> 'skipped')"
    return (
        f"CASE WHEN {level_sql(newest)} = 'skipped' AND {before} IS NOT NULL "
        f"AND {level_sql(before)} IN ('failing', 'warning') THEN {before} ELSE {newest} END"
    )


_TEST_STATES = f"""
{EXECUTIONS},
outcomes AS (SELECT test, full_table_name, {standing_sql()} AS status FROM executions GROUP BY test, full_table_name)
SELECT full_table_name, status, count(*) AS tests FROM outcomes GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 - constants

_RUN_STATES = f"""
{EXECUTIONS}
SELECT full_table_name, {standing_sql()} AS status FROM built GROUP BY full_table_name
"""  # noqa: S608 - constants

_FRESHNESS_STATES = f"""
{EXECUTIONS},
checks AS (
    SELECT c.created_at AS seen_at, {status_sql("status")} AS status, full_table_name
    FROM dbt_source_freshness_results AS c
    JOIN places AS p ON p.unique_id = c.unique_id AND p.invocation_id IS NOT DISTINCT FROM c.invocation_id
)
SELECT full_table_name, {standing_sql()} AS status FROM checks GROUP BY full_table_name
"""  # noqa: S608 - constants

_CLAIMED = """
SELECT DISTINCT model_unique_id, database_name, schema_name, table_name FROM elementary_test_results
WHERE nullif(trim(model_unique_id), '') IS NOT NULL AND nullif(trim(table_name), '') IS NOT NULL
ORDER BY ALL
"""
