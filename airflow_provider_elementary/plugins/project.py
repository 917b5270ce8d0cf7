"""Reading a snapshot into what the page knows of the dbt project: its nodes, and how their tests and runs ended."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ElementaryError, UnknownTableError
from airflow_provider_elementary.plugins.facts import Invocation, Node, Project

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.snapshots import SnapshotSource

#: Tests and runs of this long before the newest are looked at.
RECENT = timedelta(days=14)
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
            for row in rows_of(snapshot, table, READ[table].columns, missing).to_pylist():
                node = _node(row, kind, naming)
                if row.get("package_name") == _OWN_PACKAGE:
                    own.add(node.full_name)
                elif row.get("materialization") != "ephemeral":
                    nodes[node.unique_id] = node
        # Of what is large only these columns are read: the rest waits until somebody looks at a table.
        engine.register("dbt_tests", rows_of(snapshot, "dbt_tests", _OF_TESTS, missing))
        engine.register(
            "elementary_test_results", rows_of(snapshot, "elementary_test_results", _OF_TEST_RESULTS, missing)
        )
        engine.register("dbt_run_results", rows_of(snapshot, "dbt_run_results", _OF_RUNS, missing))
        tests = engine.sql(_TEST_STATES).to_arrow_table().to_pylist()
        runs = engine.sql(_RUN_STATES).to_arrow_table()
    invocations = rows_of(snapshot, "dbt_invocations", READ["dbt_invocations"].columns, missing).to_pylist()
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
        run_states=dict(zip(runs["unique_id"].to_pylist(), runs["status"].to_pylist(), strict=True)),
        invocation=_newest(invocations),
        missing=tuple(dict.fromkeys(missing)),
    )


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


def _test_states(counted: Sequence[Mapping[str, Any]], nodes: Mapping[str, Node]) -> dict[str, dict[str, int]]:
    states: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in counted:
        parent = nodes.get(row["parent_model_unique_id"] or "")
        if row["status"] is not None and (table := row["full_table_name"] or (parent and parent.full_name)):
            states[table][row["status"]] += row["tests"]
    return {table: dict(counts) for table, counts in states.items()}


def _newest(invocations: Sequence[Mapping[str, Any]]) -> Invocation | None:
    row = max(invocations, key=lambda row: row["created_at"] or datetime.min, default=None)
    if row is None:
        return None
    return Invocation(
        row["created_at"], row["command"] or "", row["project_name"], row["job_name"], row["orchestrator"]
    )


#: How bad a status is; those of one execution are told by the worst.
SEVERITY: Mapping[str, int] = {"pass": 0, "skipped": 1, "warn": 2, "error": 3, "fail": 4}

RANK = "CASE status " + " ".join(f"WHEN '{name}' THEN {rank}" for name, rank in SEVERITY.items()) + " END"
STATUS = "CASE rank " + " ".join(f"WHEN {rank} THEN '{name}'" for name, rank in SEVERITY.items()) + " END"

_OF_TESTS = ("unique_id", "parent_model_unique_id", "generated_at")
_OF_TEST_RESULTS = (
    *("test_unique_id", "test_execution_id", "created_at", "status", "database_name", "schema_name", "table_name"),
)
# An anomaly test gives a row for each column and metric: the worst of them is the status of the execution.
_TEST_STATES = f"""
WITH newest AS (
    SELECT test_unique_id, arg_max(test_execution_id, created_at) AS test_execution_id
    FROM elementary_test_results GROUP BY test_unique_id
),
outcomes AS (
    SELECT test_unique_id, max({RANK}) AS rank,
        any_value(upper(concat_ws('.', database_name, schema_name, table_name)))
            FILTER (WHERE table_name IS NOT NULL) AS full_table_name
    FROM elementary_test_results SEMI JOIN newest USING (test_unique_id, test_execution_id)
    GROUP BY test_unique_id
),
known AS (
    SELECT unique_id, parent_model_unique_id FROM dbt_tests
    QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC NULLS LAST) = 1
)
SELECT full_table_name, parent_model_unique_id, {STATUS} AS status, count(*) AS tests
FROM outcomes LEFT JOIN known ON known.unique_id = outcomes.test_unique_id
GROUP BY ALL
"""  # noqa: S608 - constants

_OF_RUNS = ("unique_id", "created_at", "status", "resource_type")
#: What runs that are told are runs of.
RUN_KINDS = "('model', 'snapshot', 'seed')"
_RUN_STATES = f"""
SELECT unique_id, arg_max(status, created_at) AS status
FROM dbt_run_results WHERE resource_type IN {RUN_KINDS} GROUP BY unique_id
"""  # noqa: S608 - constants
