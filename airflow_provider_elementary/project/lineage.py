"""Whose tables these are and what they are made from, as dbt's artifacts tell it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.elementary_schema.json_text import words_of
from airflow_provider_elementary.elementary_schema.nodes import (
    ARTIFACTS,
    Claim,
    nearest_table,
    nodes_by_table,
    relation_name,
    table_name,
    table_of,
    tables_by_node,
)
from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.source import Source, read_all

_RESULT_NAMES = ("model_unique_id", "database_name", "schema_name", "table_name")
_COLUMNS = ("unique_id", "generated_at", "database_name", "schema_name", "name", "owner", "tags", "depends_on_nodes")

#: The tests that monitor a metric of a table, by the metric's name; every other metric is one of a column's.
_TESTS_OF_METRIC: Mapping[str, tuple[str, ...]] = {
    "row_count": ("volume_anomalies", "volume_threshold"),
    "freshness": ("freshness_anomalies", "data_freshness_sla"),
    "event_freshness": ("event_freshness_anomalies",),
    "dimension": ("dimension_anomalies",),
    "schema_changes": ("schema_changes", "schema_changes_from_baseline"),
    "execution_time": ("execution_sla",),
}
_TESTS_OF_COLUMNS = ("column_anomalies", "all_columns_anomalies")


@dataclass(frozen=True)
class Node:
    """A model, snapshot, seed, source table or exposure of the dbt project.

    :param unique_id: dbt's name of it.
    :param table: upper case, as metrics name it; of an exposure, ``exposure`` and its name. Where several targets of
        dbt share the Elementary schema, the one that was written last.
    :param owners: names or e-mails; empty where nobody is named, or a policy masks them.
    :param tags: each once.
    :param reads: the nodes that it is made from.
    :param dataset: the table in dbt's own case, as dbt's lineage events name it.
    :param tables: every table of the node, one for each target of dbt, that of ``table`` first.
    """

    unique_id: str
    table: str
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    dataset: str = ""
    tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lineage:
    """The nodes of a dbt project, found by their tables; where nothing is known, every answer is empty.

    :param nodes: by ``unique_id``.
    :param nodes_of_tables: the id of the node of a table, for tables that are not their node's ``table`` too.
    :param severities: what dbt says of a failed test, ``warn`` or ``error``, by table, test and column (or None).
    """

    nodes: Mapping[str, Node] = field(default_factory=dict)
    severities: Mapping[tuple[str, str, str | None], str] = field(default_factory=dict)
    nodes_of_tables: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _by_table(self) -> Mapping[str, Node]:
        named = {table: self.nodes[unique_id] for table, unique_id in self.nodes_of_tables.items()}
        return {**{node.table: node for node in self.nodes.values()}, **named}

    @cached_property
    def _readers(self) -> Mapping[str, list[str]]:
        readers: dict[str, list[str]] = {}
        for node in self.nodes.values():
            for read in node.reads:
                readers.setdefault(read, []).append(node.unique_id)
        return readers

    def node(self, table: str) -> Node | None:
        """Return the node of a table, named in any case."""
        return self._by_table.get(table.upper())

    def dataset(self, table: str) -> str:
        """Return what dbt's own lineage calls a table; the table itself where dbt does not know it."""
        node = self.node(table)
        return (node and node.table == table.upper() and node.dataset) or table

    def upstream(self, table: str) -> list[str]:
        """Return the tables that a table is made from, the nearest first."""
        return self._walk(table, lambda unique_id: self.nodes[unique_id].reads)

    def downstream(self, table: str) -> list[str]:
        """Return the tables and exposures that are made from a table, the nearest first."""
        return self._walk(table, lambda unique_id: self._readers.get(unique_id, ()))

    def severity(self, table: str, metric: str, column: str | None) -> str:
        """Return how bad an anomaly is: ``error`` if a dbt test of that severity monitors the metric, else ``warn``."""
        tests = tests_monitoring(metric, column)
        columns = {None, column.lower() if column else None}
        found = {self.severities.get((table.upper(), test, name)) for test in tests for name in columns}
        return "error" if "error" in found else "warn"

    def find(self, name: str) -> str | None:
        """Return the table of a model that is named by its name, its ``unique_id`` or its table, or None."""
        wanted = name.upper()
        for node in self.nodes.values():
            for table in node.tables or (node.table,):
                if wanted == table:
                    return table
            if wanted in (node.unique_id.upper(), node.table.rpartition(".")[2]):
                return node.table
        return None

    def _walk(self, table: str, neighbours: Callable[[str], Iterable[str]]) -> list[str]:
        start = self.node(table)
        if start is None:
            return []
        seen, waiting, found = {start.unique_id}, deque([start.unique_id]), []
        while waiting:
            for unique_id in neighbours(waiting.popleft()):
                if unique_id not in seen and unique_id in self.nodes:
                    seen.add(unique_id)
                    waiting.append(unique_id)
                    node = self.nodes[unique_id]
                    found.append(nearest_table(node.tables or (node.table,), table))
        return found


def tests_monitoring(metric: str, column: str | None) -> tuple[str, ...]:
    """Return the names of Elementary's tests that monitor a metric of a table or of its column."""
    return _TESTS_OF_METRIC.get(metric, _TESTS_OF_COLUMNS if column else ())


def read_lineage(source: Source) -> Lineage:
    """Read the lineage of a source; tables and columns that it does not hold just tell nothing."""
    rows = {
        artifact: artifact_rows(source, artifact, (*_COLUMNS, ARTIFACTS[artifact]), each_table=True)
        for artifact in ARTIFACTS
    }
    claims = [*artifact_claims(rows), *result_claims(source)]
    tables = tables_by_node(claims)
    nodes = {
        row["unique_id"]: _node(row, artifact, tables[row["unique_id"]])
        for artifact in ARTIFACTS
        for row in rows[artifact]
        if row["unique_id"] in tables and table_of(row, artifact)
    }
    by_table = {table: unique_id for table, unique_id in nodes_by_table(claims).items() if unique_id in nodes}
    return Lineage(nodes, dict(_severities(source, nodes)), by_table)


def artifact_claims(rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> Iterator[Claim]:
    """Yield which tables the rows of artifacts name.

    :param rows: by artifact, as :func:`artifact_rows` returns them.
    """
    for artifact, found in rows.items():
        for row in found:
            if table := table_of(row, artifact):
                yield Claim(row["unique_id"], table, generated_at=str(row.get("generated_at") or ""))


def result_claims(source: Source) -> Iterator[Claim]:
    """Yield which tables the test results of a source name: an artifact knows only the target that was written last."""
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


def artifact_rows(
    source: Source, table: str, columns: Iterable[str], *, each_table: bool = False
) -> list[dict[str, Any]]:
    """Return the newest row of each node of an artifact; what the source does not hold is left out.

    :param each_table: the newest row of each table of a node instead, the newest of all last.
    """
    try:
        held = source.schema(table).names
        rows = read_all(source, table, [name for name in dict.fromkeys(columns) if name in held]).to_pylist()
    except ElementaryError:
        return []
    rows = [row for row in rows if isinstance(row.get("unique_id"), str) and row["unique_id"].strip()]
    rows.sort(key=lambda row: str(row.get("generated_at") or ""))
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        key = (row["unique_id"], table_of(row, table) if each_table else "")
        newest.pop(key, None)
        newest[key] = row
    return list(newest.values())


def _node(row: Mapping[str, Any], artifact: str, tables: tuple[str, ...]) -> Node:
    # OpenLineage's integration with dbt names a source table as dbt does, whatever its identifier.
    name = row.get("name") if artifact == "dbt_sources" else relation_name(row, artifact)
    return Node(
        unique_id=row["unique_id"],
        table=tables[0],
        owners=words_of(row.get("owner")),
        tags=words_of(row.get("tags")),
        reads=words_of(row.get("depends_on_nodes")),
        dataset=".".join(filter(None, (row.get("database_name"), row.get("schema_name"), name))),
        tables=tables,
    )


def _severities(source: Source, nodes: Mapping[str, Node]) -> Iterator[tuple[tuple[str, str, str | None], str]]:
    columns = ("unique_id", "generated_at", "parent_model_unique_id", "short_name", "test_column_name", "severity")
    # Of two tests alike the worse one counts, so it comes last.
    rows = sorted(artifact_rows(source, "dbt_tests", columns), key=lambda row: _severity(row) == "error")
    for row in rows:
        parent, test = nodes.get(row.get("parent_model_unique_id") or ""), row.get("short_name")
        if parent and test:
            column = row.get("test_column_name")
            for table in parent.tables:
                yield (table, test, column.lower() if column else None), _severity(row)


def _severity(row: Mapping[str, Any]) -> str:
    return str(row.get("severity") or "").strip().lower()
