"""Reads the lineage of a dbt project: upstream, downstream, severities."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS, nearest_table, nodes_by_table
from airflow_provider_elementary.project.facts import Node
from airflow_provider_elementary.project.reading import (
    artifact_claims,
    artifact_rows,
    artifact_rows_by_table,
    downstream_of,
    nodes_of,
    read_rows,
    result_claims,
)

if TYPE_CHECKING:
    from airflow_provider_elementary.source import Source

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
class Lineage:
    """The nodes of a dbt project, found by their tables; an empty lineage knows no node.

    :param nodes: by ``unique_id``.
    :param nodes_of_tables: the id of the node of a table, for tables that are not their node's ``table`` too.
    :param severities: severity of a dbt test, ``warn`` or ``error``, by table, test and column (or None).
    """

    nodes: Mapping[str, Node] = field(default_factory=dict)
    severities: Mapping[tuple[str, str, str | None], str] = field(default_factory=dict)
    nodes_of_tables: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _by_table(self) -> Mapping[str, Node]:
        named = {table: self.nodes[unique_id] for table, unique_id in self.nodes_of_tables.items()}
        return {**{node.table: node for node in self.nodes.values()}, **named}

    @cached_property
    def _downstream(self) -> Mapping[str, tuple[str, ...]]:
        return downstream_of(self.nodes)

    def node(self, table: str) -> Node | None:
        """Return the node of a table, named in any case."""
        return self._by_table.get(table.upper())

    def dataset(self, table: str) -> str:
        """Return the name of a table in dbt's own lineage events; the table itself where dbt does not know it."""
        node = self.node(table)
        return (node and node.table == table.upper() and node.dataset) or table

    def upstream(self, table: str) -> list[str]:
        """Return the tables upstream of a table, the nearest first."""
        return self._walk(table, lambda unique_id: self.nodes[unique_id].upstream)

    def downstream(self, table: str) -> list[str]:
        """Return the tables and exposures downstream of a table, the nearest first."""
        return self._walk(table, lambda unique_id: self._downstream.get(unique_id, ()))

    def severity(self, table: str, metric: str, column: str | None) -> str:
        """Return the severity of an anomaly: ``error`` if such a dbt test monitors the metric, else ``warn``."""
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
    """Read the lineage of a source; tables and columns that it lacks count as empty."""
    rows = {
        artifact: artifact_rows_by_table(artifact, read_rows(source, artifact, (*_COLUMNS, name)))
        for artifact, name in ARTIFACTS.items()
    }
    claims = [*artifact_claims(rows), *result_claims(source)]
    nodes = nodes_of(rows, claims)
    by_table = {table: unique_id for table, unique_id in nodes_by_table(claims).items() if unique_id in nodes}
    return Lineage(nodes, dict(_severities(source, nodes)), by_table)


def _severities(source: Source, nodes: Mapping[str, Node]) -> Iterator[tuple[tuple[str, str, str | None], str]]:
    columns = ("unique_id", "generated_at", "parent_model_unique_id", "short_name", "test_column_name", "severity")
    # Of two tests of one kind the more severe one wins, so it comes last.
    rows = sorted(artifact_rows(source, "dbt_tests", columns), key=lambda row: _severity(row) == "error")
    for row in rows:
        parent, test = nodes.get(row.get("parent_model_unique_id") or ""), row.get("short_name")
        if parent and test:
            column = row.get("test_column_name")
            for table in parent.tables:
                yield (table, test, column.lower() if column else None), _severity(row)


def _severity(row: Mapping[str, Any]) -> str:
    return str(row.get("severity") or "").strip().lower()
