"""Reads dbt artifacts: the newest row and the tables of each node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.json_text import words_of
from airflow_provider_elementary.elementary_schema.newest import newest_rows
from airflow_provider_elementary.elementary_schema.nodes import (
    Claim,
    relation_name,
    table_name,
    table_of,
    tables_by_node,
)
from airflow_provider_elementary.exceptions import ElementaryError, ObjectNotFoundError, StoreError, UnknownTableError
from airflow_provider_elementary.project.facts import Node
from airflow_provider_elementary.times import before

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.snapshots import SnapshotSource
    from airflow_provider_elementary.source import Source

#: Tests and runs of this long before the newest are read.
RECENT = timedelta(days=14)
_RESULT_NAMES = ("model_unique_id", "database_name", "schema_name", "table_name")

#: The artifacts of nodes, and the kind of node of each.
KINDS: Mapping[str, str] = {
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
    *("description", "materialization", "original_path", "path", "group_name", "depends_on_nodes"),
    *("package_name", "generated_at"),
)
#: Every column that the page reads of a snapshot.
READ: Mapping[str, _Read] = {
    **dict.fromkeys(KINDS, _Read(_NODE_COLUMNS)),
    "dbt_tests": _Read(
        (
            *("unique_id", "name", "short_name", "test_column_name", "severity", "quality_dimension"),
            *("warn_if", "error_if", "parent_model_unique_id", "generated_at"),
        )
    ),
    "dbt_columns": _Read(("parent_unique_id", "name", "data_type", "description", "generated_at")),
    "schema_columns_snapshot": _Read(("full_table_name", "column_name", "data_type", "detected_at")),
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
            *("execute_started_at", "execute_completed_at", "thread_id"),
        ),
        recent=True,
    ),
    "dbt_source_freshness_results": _Read(
        ("unique_id", "created_at", "status", "invocation_id", "max_loaded_at_time_ago_in_s"), recent=True
    ),
    "dbt_invocations": _Read(
        ("invocation_id", "created_at", "command", "project_name", "job_name", "orchestrator"), recent=True
    ),
}


def is_of_store(error: ElementaryError) -> bool:
    """Return whether a retry may read from the store what could not be read; a file that is lost stays so."""
    return isinstance(error, StoreError) and not isinstance(error, ObjectNotFoundError)


def read_rows(
    source: Source,
    table: str,
    columns: Iterable[str],
    *,
    since: datetime | None = None,
    missing: list[str] | None = None,
    is_store_required: bool = False,
    keep: Callable[[pa.RecordBatchReader], pa.Table] | None = None,
) -> pa.Table:
    """Return columns of a table; a table that the source lacks is empty, a column that it lacks is null.

    :param since: of a table with a watermark, only rows from this time on.
    :param missing: receives an error message for a table that cannot be read.
    :param is_store_required: a store that cannot be read is an error, so that the task is retried.
    :param keep: returns the rows to keep of all those that have the columns; all by default.
    """
    import pyarrow as pa

    from airflow_provider_elementary.arrow_values import arrow_table_of
    from airflow_provider_elementary.source import arrow_schema, catalog_table

    known = catalog_table(table)
    schema = arrow_schema(known, [name for name in dict.fromkeys(columns) if known.column(name)])
    try:
        held = [name for name in schema.names if name in source.schema(table).names]
        with source.read(table, columns=held, since=since) as reader:
            rows = keep(reader) if keep and held == schema.names else reader.read_all()
    except UnknownTableError:
        return arrow_table_of([], schema)
    except ElementaryError as error:
        if is_store_required and is_of_store(error):
            raise
        if missing is not None:
            missing.append(str(error))
        return arrow_table_of([], schema)
    return pa.table(
        {field.name: rows[field.name] if field.name in held else pa.nulls(len(rows), field.type) for field in schema}
    )


def read_recent_rows(snapshot: SnapshotSource, table: str, columns: Sequence[str], missing: list[str]) -> pa.Table:
    """Return columns of a table of a snapshot, of large tables recent rows only.

    :param columns: of those that :data:`READ` names.
    :param missing: receives an error message for a table that cannot be read.
    """
    return read_rows(snapshot, table, columns, since=_recent_since(snapshot, table), missing=missing)


def artifact_rows(
    source: Source, table: str, columns: Iterable[str], *, is_store_required: bool = False
) -> list[dict[str, Any]]:
    """Return the newest row of each node or test of an artifact, ordered by time; see :func:`read_rows`."""
    return newest_rows(table, read_rows(source, table, columns, is_store_required=is_store_required).to_pylist())


def artifact_rows_by_table(artifact: str, rows: pa.Table) -> list[dict[str, Any]]:
    """Return the newest row of each table of each node of an artifact, ordered by time."""
    return newest_rows(artifact, rows.to_pylist(), within=lambda row: table_of(row, artifact))


def artifact_claims(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> Iterator[Claim]:
    """Yield the tables that the rows of artifacts name.

    :param rows: by artifact, as :func:`artifact_rows_by_table` returns them.
    """
    for artifact, found in rows.items():
        for row in found:
            if table := table_of(row, artifact):
                yield Claim(row["unique_id"], table, generated_at=str(row.get("generated_at") or ""))


def result_claims(source: Source) -> Iterator[Claim]:
    """Yield the tables that the test results of a source name: an artifact knows only the target written last."""
    import pyarrow as pa

    try:
        columns = [name for name in _RESULT_NAMES if name in source.schema("elementary_test_results").names]
        if not {"model_unique_id", "table_name"} <= set(columns):
            return
        seen: set[tuple[Any, ...]] = set()
        with source.read("elementary_test_results", columns=columns) as reader:
            for batch in reader:
                found = pa.Table.from_batches([batch]).group_by(columns).aggregate([]).to_pylist()
                seen.update(tuple(row.get(name) for name in _RESULT_NAMES) for row in found)
    except ElementaryError:
        return
    for unique_id, *place in sorted(seen, key=str):
        if unique_id and (table := table_name(*place)):
            yield Claim(unique_id, table, is_artifact=False)


def nodes_of(rows: Mapping[str, Iterable[Mapping[str, Any]]], claims: Iterable[Claim]) -> dict[str, Node]:
    """Return the nodes by id.

    :param rows: by artifact, as :func:`artifact_rows_by_table` returns them.
    :param claims: which tables belong to which node.
    """
    tables = tables_by_node(claims)
    return {
        row["unique_id"]: _node(row, artifact, tables[row["unique_id"]])
        for artifact, found in rows.items()
        for row in found
        if row["unique_id"] in tables and table_of(row, artifact)
    }


def downstream_of(nodes: Mapping[str, Node]) -> dict[str, tuple[str, ...]]:
    """Return the ids of the nodes that depend on each id."""
    found: dict[str, list[str]] = {}
    for node in nodes.values():
        for unique_id in node.upstream:
            found.setdefault(unique_id, []).append(node.unique_id)
    return {unique_id: tuple(ids) for unique_id, ids in found.items()}


def _recent_since(snapshot: SnapshotSource, table: str) -> datetime | None:
    """Return from when on rows of a table are recent: relative to its newest row, so that old snapshots show too."""
    if not READ[table].recent:
        return None
    newest = [file.max_watermark for file in snapshot.manifest.files if file.table == table and file.max_watermark]
    return before(datetime.fromisoformat(max(newest)).replace(tzinfo=None), RECENT) if newest else None


def _node(row: Mapping[str, Any], artifact: str, tables: tuple[str, ...]) -> Node:
    name = relation_name(row, artifact)
    # OpenLineage's integration with dbt names a source table as dbt does, whatever its identifier.
    event_name = row.get("name") if artifact == "dbt_sources" else name
    return Node(
        unique_id=row["unique_id"],
        table=tables[0],
        kind=KINDS[artifact],
        schema=table_name(None, row.get("database_name"), row.get("schema_name")),
        name=name,
        owners=tuple(dict.fromkeys((*words_of(row.get("owner")), *words_of(row.get("owner_email"))))),
        tags=words_of(row.get("tags")),
        description=(row.get("description") or "").strip(),
        materialization=row.get("materialization") or "",
        path=row.get("original_path") or row.get("path") or "",
        group=row.get("group_name") or "",
        upstream=words_of(row.get("depends_on_nodes")),
        dataset=".".join(filter(None, (row.get("database_name"), row.get("schema_name"), event_name))),
        tables=tables,
    )
