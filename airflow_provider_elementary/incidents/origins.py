"""Follows wrong columns to the table that their values come from."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_elementary.anomalies.elementary.predicates import sqlglot_dialect
from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.incidents.conditions import Condition, Origin, metric_of, test_family
from airflow_provider_elementary.project.column_lineage import columns_read
from airflow_provider_elementary.project.facts import Node
from airflow_provider_elementary.project.lineage import Lineage, tests_monitoring
from airflow_provider_elementary.project.reading import artifact_rows, is_of_store, read_rows
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.times import before, without_zone

log = logging.getLogger(__name__)

#: What a column of a model has of the table that it is read from. A fault of numbers of rows may be of a join.
_OF_COLUMNS = frozenset({"values", "nulls"})
#: The runs of this long before the newest evidence are searched for the code of models.
_RECENT = timedelta(hours=36)
#: A model that changed this shortly before a condition, or later, may be the cause itself.
_CHANGED = timedelta(hours=36)


def with_origins(
    conditions: Sequence[Condition], before: Iterable[Condition], lineage: Lineage, source: Source, adapter: str | None
) -> list[Condition]:
    """Return conditions with the table that their wrong columns come from, where it is known.

    The code of the models says it. Where a policy excludes the code, it is the only source upstream that is known to
    have columns of the same names. It is followed through models that have not changed since, and not beyond a table
    that has such a test of its own: were it wrong there, that test would say so. What the conditions of the previous
    run say is kept.

    :param before: the conditions of the previous run.
    :param source: holds the artifacts and run results of dbt; a policy may have excluded the code.
    :param adapter: dbt's name of the warehouse.
    :raises StoreError: the store of the source cannot be read; a retry may help.
    """
    known = {condition.condition_id: condition.origin for condition in before}
    new = [each for each in conditions if each.condition_id not in known and _columns(each)]
    code = _Code(source, lineage, sqlglot_dialect(adapter), new) if new else None
    return [
        replace(each, origin=known[each.condition_id])
        if each.condition_id in known
        else replace(each, origin=_origin(each, lineage, code))
        if code is not None
        else each
        for each in conditions
    ]


def _columns(condition: Condition) -> frozenset[str]:
    """Return the columns whose values are wrong, lower case; empty where the fault may be another one."""
    if condition.kind == "anomaly":
        _, _, dimension = metric_of(condition.subject, condition.column)
        if dimension:
            return frozenset(name.strip().lower() for name in dimension.replace(",", ";").split(";"))
    elif condition.kind != "test" or condition.state not in ("fail", "warn"):
        # A test that could not run says nothing of values.
        return frozenset()
    is_of_column = condition.column and condition.family in _OF_COLUMNS
    return frozenset({str(condition.column).lower()}) if is_of_column else frozenset()


def _origin(condition: Condition, lineage: Lineage, code: _Code) -> Origin | None:
    found = Origin(condition.table, tuple(sorted(_columns(condition))))
    visited = {condition.table}
    if found.columns and not code.knows(condition.table):
        by_name = code.of_same_name(found, condition.started_at)
        return by_name if by_name and not _speaks_for_itself(condition, by_name, lineage) else None
    while found.columns and (read := code.read(found, condition.started_at)) is not None:
        if read.table in visited or _speaks_for_itself(condition, read, lineage):
            break
        visited.add(read.table)
        found = read
    return found if len(visited) > 1 else None


def _speaks_for_itself(condition: Condition, read: Origin, lineage: Lineage) -> bool:
    """Return whether a table has such a test of its own on the columns."""
    columns: set[str | None] = {*read.columns}
    if condition.kind == "anomaly":
        _, metric, _ = metric_of(condition.subject, condition.column)
        tests = tests_monitoring(metric, condition.column)
        return any(
            (read.table.upper(), test, name) in lineage.severities for test in tests for name in {*columns, None}
        )
    return any(
        table == read.table.upper() and column in columns and test_family(test) == condition.family
        for table, test, column in lineage.severities
    )


class _Code:
    """The code of models as they last ran."""

    def __init__(self, source: Source, lineage: Lineage, dialect: str | None, conditions: Sequence[Condition]) -> None:
        """Read the code of every model that wrong columns can be followed through."""
        self._lineage, self._dialect = lineage, dialect
        tables = {table for each in conditions for table in (each.table, *lineage.upstream(each.table))}
        nodes = {node.unique_id for table in tables if (node := lineage.node(table)) and node.upstream}
        since = before(max(condition.last_seen for condition in conditions), _RECENT)
        self._sql = _newest_code(source, nodes, since) if nodes else {}
        self._changed = _changed_at(source) if nodes else {}
        self._columns = _columns_by_table(source) if nodes - self._sql.keys() else {}

    def knows(self, table: str) -> bool:
        """Return whether the code of a table's model is known."""
        node = self._lineage.node(table)
        return node is not None and node.unique_id in self._sql

    def of_same_name(self, columns: Origin, began: datetime) -> Origin | None:
        """Return the only source upstream that is known to have columns of these names; None where a model changed."""
        upstream = [node for table in self._lineage.upstream(columns.table) if (node := self._lineage.node(table))]
        models = [*filter(None, [self._lineage.node(columns.table)]), *(node for node in upstream if node.upstream)]
        if not models or any(self._has_changed(node, began) for node in models):
            return None
        tables = {table for node in upstream if not node.upstream for table in node.tables or (node.table,)}
        found = [table for table in tables if {*columns.columns} <= self._columns.get(table.upper(), set())]
        return Origin(found[0], columns.columns, "names") if len(found) == 1 else None

    def _has_changed(self, node: Node, began: datetime) -> bool:
        return began - self._changed.get(node.unique_id, datetime.max) < _CHANGED

    def read(self, columns: Origin, began: datetime) -> Origin | None:
        """Return what columns of a model are computed from; None where that is not one table, or not known."""
        node = self._lineage.node(columns.table)
        sql = self._sql.get(node.unique_id) if node else None
        if node is None or sql is None or self._has_changed(node, began):
            return None
        found = columns_read(sql, columns.columns, self._dialect)
        table = self._table(node, found.table) if found else None
        return Origin(table, tuple(sorted(found.columns))) if found and table else None

    def _table(self, node: Node, name: str) -> str | None:
        """Return the table of a node upstream that a query names."""
        upstream = [self._lineage.nodes[each] for each in node.upstream if each in self._lineage.nodes]
        tables = {table for each in upstream for table in each.tables or (each.table,)}
        return next((table for table in sorted(tables) if f".{table}".endswith(f".{name}")), None)


def _newest_code(source: Source, nodes: set[str], since: datetime) -> Mapping[str, str]:
    found: dict[str, tuple[datetime, str]] = {}
    for row in _runs(source, nodes, since):
        node, at, sql = row["unique_id"], row["created_at"], row["compiled_code"]
        if at is not None and sql and (node not in found or found[node][0] <= at):
            found[node] = at, sql
    return {node: sql for node, (_, sql) in found.items()}


def _runs(source: Source, nodes: set[str], since: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield the runs of nodes with their code, one batch at a time; nothing where the source lacks the code."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(sorted(nodes), pa.string())
    columns = ["unique_id", "created_at", "compiled_code"]
    try:
        if not {*columns} <= {*source.schema("dbt_run_results").names}:
            return
        with source.read("dbt_run_results", columns=columns, since=since) as reader:
            for batch in reader:
                # Before they are Python's: the code of all models is large.
                yield from batch.filter(pc.is_in(batch["unique_id"], value_set=wanted)).to_pylist()
    except ElementaryError as error:
        if is_of_store(error):
            # What is saved without an origin stays so; a retry may find it.
            raise
        log.warning("wrong columns are not followed through models: %s", error)


def _columns_by_table(source: Source) -> Mapping[str, set[str]]:
    """Return the columns of the tables that a test of their schema looks at, lower case, by table in upper case."""
    found: dict[str, set[str]] = defaultdict(set)
    rows = read_rows(source, "schema_columns_snapshot", ("full_table_name", "column_name"), is_store_required=True)
    for row in rows.group_by(rows.column_names).aggregate([]).to_pylist():
        if row["full_table_name"] and row["column_name"]:
            found[row["full_table_name"].upper()].add(row["column_name"].lower())
    return found


def _changed_at(source: Source) -> Mapping[str, datetime]:
    """Return when the newest description of each model was written, by the model's id."""
    found = {}
    for artifact in ("dbt_models", "dbt_snapshots"):
        for row in artifact_rows(source, artifact, ("unique_id", "generated_at"), is_store_required=True):
            try:
                found[row["unique_id"]] = without_zone(datetime.fromisoformat(str(row["generated_at"])))
            except ValueError:
                continue
    return found
