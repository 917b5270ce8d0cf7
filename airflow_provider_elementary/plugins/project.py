"""Reading a snapshot into what the page knows of the dbt project: nodes, lineage, tests and runs, and nothing raw."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ElementaryError, UnknownTableError
from airflow_provider_elementary.plugins.facts import Invocation, Node, Project, Run, Test

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from airflow_provider_elementary.snapshots import SnapshotSource

#: Tests and runs of this long before the newest are looked at.
RECENT = timedelta(days=14)
#: So many of them are kept of each test and node.
KEPT = 14
_OWN_PACKAGE = "elementary"

_NODES: Mapping[str, tuple[str, str]] = {
    # The table: the kind of node, and the column that names its table in the warehouse.
    "dbt_models": ("model", "alias"),
    "dbt_snapshots": ("snapshot", "alias"),
    "dbt_seeds": ("seed", "alias"),
    "dbt_sources": ("source", "identifier"),
    "dbt_exposures": ("exposure", "name"),
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
    **dict.fromkeys(_NODES, _Read(_NODE_COLUMNS)),
    "dbt_tests": _Read(
        (
            *("unique_id", "name", "short_name", "test_column_name", "severity", "quality_dimension"),
            *("parent_model_unique_id", "generated_at"),
        )
    ),
    "elementary_test_results": _Read(
        (
            *("test_unique_id", "test_execution_id", "created_at", "status", "database_name", "schema_name"),
            *("table_name", "column_name", "test_name", "test_short_name", "severity"),
        ),
        recent=True,
    ),
    "dbt_run_results": _Read(
        (
            *("model_execution_id", "unique_id", "created_at", "status", "resource_type", "execution_time"),
            *("rows_affected", "full_refresh"),
        ),
        recent=True,
    ),
    "dbt_invocations": _Read(("created_at", "command", "project_name", "job_name", "orchestrator"), recent=True),
}


def read_project(snapshot: SnapshotSource) -> Project:
    """Read a snapshot; a table or category that it or the keys do not give is told in ``missing``."""
    import duckdb

    missing: list[str] = []
    with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as engine:
        nodes: dict[str, Node] = {}
        own: set[str] = set()
        for table, (kind, naming) in _NODES.items():
            for row in _rows(snapshot, table, missing).to_pylist():
                node = _node(row, kind, naming)
                if row.get("package_name") == _OWN_PACKAGE:
                    own.add(node.full_name)
                elif row.get("materialization") != "ephemeral":
                    nodes[node.unique_id] = node
        tests = _query(engine, _TESTS, snapshot, ("dbt_tests", "elementary_test_results"), missing)
        runs = _query(engine, _RUNS, snapshot, ("dbt_run_results",), missing)
        newest = _query(engine, _INVOCATION, snapshot, ("dbt_invocations",), missing).to_pylist()
    downstream: dict[str, list[str]] = defaultdict(list)
    for node in nodes.values():
        for unique_id in node.upstream:
            downstream[unique_id].append(node.unique_id)
    # A source may name the table of a model of another project: the model counts.
    by_table = {node.full_name: node.unique_id for node in reversed(nodes.values()) if node.kind != "exposure"}
    return Project(
        nodes=nodes,
        tables=by_table,
        own=frozenset(own),
        downstream={unique_id: tuple(ids) for unique_id, ids in downstream.items()},
        test_states=_test_states(tests, nodes),
        run_states=_newest_runs(runs),
        tests=tests,
        runs=runs,
        invocation=_invocation(newest[0]) if newest else None,
        missing=tuple(dict.fromkeys(missing)),
    )


def tests_of(project: Project, full_name: str) -> list[Test]:
    """Return the tests of a table, those that fail first."""
    import pyarrow.compute as pc

    wanted = pc.equal(project.tests["full_table_name"], full_name)
    if (unique_id := project.tables.get(full_name)) is not None:
        wanted = pc.or_kleene(wanted, pc.equal(project.tests["parent_model_unique_id"], unique_id))
    tests = [_test(row) for row in project.tests.filter(wanted).to_pylist()]
    return sorted(tests, key=lambda test: (-_SEVERITY.get(test.status or "", -1), test.name, test.column or ""))


def runs_of(project: Project, unique_id: str) -> list[Run]:
    """Return the newest executions of a node, newest first."""
    import pyarrow.compute as pc

    rows = project.runs.filter(pc.equal(project.runs["unique_id"], unique_id)).to_pylist()
    return [
        Run(row["created_at"], row["status"], row["execution_time"], row["rows_affected"], bool(row["full_refresh"]))
        for row in rows
    ]


def _rows(snapshot: SnapshotSource, table: str, missing: list[str]) -> pa.Table:
    """Return the columns of a table that :data:`READ` names; what the snapshot does not give is null or not there."""
    import pyarrow as pa

    from airflow_provider_elementary.source import arrow_schema, catalog_table

    known = catalog_table(table)
    wanted = [name for name in READ[table].columns if known.column(name)]
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
    columns = [rows[name] if name in held else pa.nulls(len(rows), schema.field(name).type) for name in wanted]
    return pa.table(columns, schema=schema)


def _since(snapshot: SnapshotSource, table: str) -> datetime | None:
    """Return from when on rows of a table are recent: counted from its newest row, so that old snapshots show too."""
    if not READ[table].recent:
        return None
    newest = [file.max_watermark for file in snapshot.manifest.files if file.table == table and file.max_watermark]
    return datetime.fromisoformat(max(newest)).replace(tzinfo=None) - RECENT if newest else None


def _query(
    engine: duckdb.DuckDBPyConnection,
    query: str,
    snapshot: SnapshotSource,
    tables: tuple[str, ...],
    missing: list[str],
) -> pa.Table:
    for table in tables:
        engine.register(table, _rows(snapshot, table, missing))
    result: pa.Table = engine.sql(query).to_arrow_table()
    return result


def _node(row: Mapping[str, Any], kind: str, naming: str) -> Node:
    name = row[naming] or row["name"] or row["unique_id"]
    place = [part for part in (row.get("database_name"), row.get("schema_name")) if part]
    owners = (*_words(row.get("owner")), *_words(row.get("owner_email")))
    return Node(
        unique_id=row["unique_id"],
        kind=kind,
        full_name=name if kind == "exposure" else ".".join((*place, name)).upper(),
        schema=".".join(place).upper(),
        name=name,
        owners=tuple(dict.fromkeys(owners)),
        tags=tuple(dict.fromkeys(_words(row.get("tags")))),
        description=(row.get("description") or "").strip(),
        materialization=row.get("materialization") or "",
        path=row.get("path") or "",
        group=row.get("group_name") or "",
        upstream=_words(row.get("depends_on_nodes")),
    )


# Owners and tags repeat from table to table.
@lru_cache(4096)
def _words(text: str | None) -> tuple[str, ...]:
    """Return a JSON list of strings, or the text itself where it is none."""
    if not text:
        return ()
    try:
        found = json.loads(text)
    except ValueError:
        return (text,)
    return tuple(str(word) for word in found) if isinstance(found, list) else (str(found),)


def _test_states(tests: pa.Table, nodes: Mapping[str, Node]) -> dict[str, dict[str, int]]:
    counted = tests.group_by(["full_table_name", "parent_model_unique_id", "status"]).aggregate([([], "count_all")])
    states: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in counted.to_pylist():
        parent = nodes.get(row["parent_model_unique_id"] or "")
        if row["status"] is not None and (table := row["full_table_name"] or (parent and parent.full_name)):
            states[table][row["status"]] += row["count_all"]
    return {table: dict(counts) for table, counts in states.items()}


def _newest_runs(runs: pa.Table) -> dict[str, str]:
    import pyarrow.compute as pc

    newest = runs.filter(pc.equal(runs["place"], 1))
    return dict(zip(newest["unique_id"].to_pylist(), newest["status"].to_pylist(), strict=True))


def _invocation(row: Mapping[str, Any]) -> Invocation:
    return Invocation(
        row["created_at"], row["command"] or "", row["project_name"], row["job_name"], row["orchestrator"]
    )


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


#: How bad a status is; those of one execution are told by the worst.
_SEVERITY: Mapping[str, int] = {"pass": 0, "skipped": 1, "warn": 2, "error": 3, "fail": 4}

_RANK = "CASE status " + " ".join(f"WHEN '{name}' THEN {rank}" for name, rank in _SEVERITY.items()) + " END"
_STATUS = "CASE rank " + " ".join(f"WHEN {rank} THEN '{name}'" for name, rank in _SEVERITY.items()) + " END"

# An anomaly test gives a row for each column and metric: the worst of them is the status of the execution.
_TESTS = f"""
WITH executions AS (
    SELECT any_value(test_unique_id) AS test_unique_id, max(created_at) AS tested_at, max({_RANK}) AS rank
    FROM elementary_test_results GROUP BY test_execution_id
),
outcomes AS (
    SELECT test_unique_id, max(tested_at) AS tested_at, list({_STATUS} ORDER BY tested_at DESC)[:{KEPT}] AS recent
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
    FROM dbt_run_results WHERE resource_type IN ('model', 'snapshot', 'seed')
)
SELECT unique_id, created_at, status, execution_time, rows_affected, full_refresh,
    row_number() OVER (PARTITION BY unique_id ORDER BY created_at DESC) AS place
FROM executions
QUALIFY place <= {KEPT}
ORDER BY unique_id, place
"""  # noqa: S608 - constants

_INVOCATION = "SELECT * FROM dbt_invocations ORDER BY created_at DESC LIMIT 1"
