"""Whose tables these are and what they are made from, as dbt's artifacts tell it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.source import Source, read_all

#: The artifacts that are tables or read from them, and the column that names the table.
ARTIFACTS: Mapping[str, str] = {
    "dbt_models": "alias",
    "dbt_snapshots": "alias",
    "dbt_seeds": "alias",
    "dbt_sources": "identifier",
    "dbt_exposures": "name",
}
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
    :param table: upper case, as metrics name it; of an exposure, ``exposure`` and its name.
    :param owners: names or e-mails; empty where nobody is named, or a policy masks them.
    :param tags: each once.
    :param reads: the nodes that it is made from.
    :param dataset: the table in dbt's own case, as dbt's lineage events name it.
    """

    unique_id: str
    table: str
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    dataset: str = ""


@dataclass(frozen=True)
class Lineage:
    """The nodes of a dbt project, found by their tables; where nothing is known, every answer is empty.

    :param nodes: by ``unique_id``.
    :param severities: what dbt says of a failed test, ``warn`` or ``error``, by table, test and column (or None).
    """

    nodes: Mapping[str, Node] = field(default_factory=dict)
    severities: Mapping[tuple[str, str, str | None], str] = field(default_factory=dict)

    @cached_property
    def _by_table(self) -> Mapping[str, Node]:
        return {node.table: node for node in self.nodes.values()}

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
        return (node and node.dataset) or table

    def upstream(self, table: str) -> list[str]:
        """Return the tables that a table is made from, the nearest first."""
        return self._walk(table, lambda unique_id: self.nodes[unique_id].reads)

    def downstream(self, table: str) -> list[str]:
        """Return the tables and exposures that are made from a table, the nearest first."""
        return self._walk(table, lambda unique_id: self._readers.get(unique_id, ()))

    def severity(self, table: str, metric: str, column: str | None) -> str:
        """Return how bad an anomaly is: ``error`` if a dbt test of that severity monitors the metric, else ``warn``."""
        tests = tests_watching(metric, column)
        columns = {None, column.lower() if column else None}
        found = {self.severities.get((table.upper(), test, name)) for test in tests for name in columns}
        return "error" if "error" in found else "warn"

    def find(self, name: str) -> str | None:
        """Return the table of a model that is named by its name, its ``unique_id`` or its table, or None."""
        wanted = name.upper()
        for node in self.nodes.values():
            if wanted in (node.unique_id.upper(), node.table, node.table.rpartition(".")[2]):
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
                    found.append(self.nodes[unique_id].table)
        return found


def tests_watching(metric: str, column: str | None) -> tuple[str, ...]:
    """Return the names of Elementary's tests that monitor a metric of a table or of its column."""
    return _TESTS_OF_METRIC.get(metric, _TESTS_OF_COLUMNS if column else ())


def read_lineage(source: Source) -> Lineage:
    """Read the lineage of a source; tables and columns that it does not hold just tell nothing."""
    nodes = {node.unique_id: node for table in ARTIFACTS for node in _nodes(source, table)}
    return Lineage(nodes, dict(_severities(source, nodes)))


def table_of(row: Mapping[str, Any], artifact: str) -> str:
    """Return the table that a row of an artifact describes, as metrics name it; empty where it names none."""
    name = row.get(ARTIFACTS[artifact]) or row.get("name")
    if artifact == "dbt_exposures":
        return f"exposure {name}" if name else ""
    return _placed(row, name).upper() if name else ""


def artifact_rows(source: Source, table: str, columns: Iterable[str]) -> list[dict[str, Any]]:
    """Return the newest row of each node of an artifact; what the source does not hold is left out."""
    try:
        held = source.schema(table).names
        rows = read_all(source, table, [name for name in dict.fromkeys(columns) if name in held]).to_pylist()
    except ElementaryError:
        return []
    rows.sort(key=lambda row: row.get("generated_at") or "")
    return list({row["unique_id"]: row for row in rows}.values())


def _nodes(source: Source, table: str) -> Iterator[Node]:
    for row in artifact_rows(source, table, (*_COLUMNS, ARTIFACTS[table])):
        if not (named := table_of(row, table)):
            continue
        yield Node(
            unique_id=row["unique_id"],
            table=named,
            owners=_words(row.get("owner")),
            tags=_words(row.get("tags")),
            reads=_words(row.get("depends_on_nodes")),
            # OpenLineage's integration with dbt names a source table as dbt does, whatever its identifier.
            dataset=_placed(row, row.get("name") if table == "dbt_sources" else row.get(ARTIFACTS[table])),
        )


def _placed(row: Mapping[str, Any], name: str | None) -> str:
    return ".".join(filter(None, (row.get("database_name"), row.get("schema_name"), name)))


def _severities(source: Source, nodes: Mapping[str, Node]) -> Iterator[tuple[tuple[str, str, str | None], str]]:
    columns = ("unique_id", "generated_at", "parent_model_unique_id", "short_name", "test_column_name", "severity")
    # Of two tests alike the worse one counts, so it comes last.
    rows = sorted(
        artifact_rows(source, "dbt_tests", columns), key=lambda row: str(row.get("severity")).lower() == "error"
    )
    for row in rows:
        parent, test = nodes.get(row.get("parent_model_unique_id") or ""), row.get("short_name")
        if parent and test:
            column = row.get("test_column_name")
            yield (parent.table, test, column.lower() if column else None), str(row.get("severity")).lower()


# Owners, tags and what is read repeat from node to node.
@lru_cache(4096)
def _words(text: str | None) -> tuple[str, ...]:
    """Return the entries of a JSON list of text, each once; what is none (a mask, an older layout) has none."""
    try:
        entries = json.loads(text or "[]")
    except ValueError:
        return ()
    return tuple(dict.fromkeys(str(entry) for entry in entries)) if isinstance(entries, list) else ()
