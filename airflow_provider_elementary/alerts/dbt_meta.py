"""What a dbt project says of its own alerts: Elementary's keys in the ``meta`` of models, sources and tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_elementary.elementary_schema.json_text import json_object
from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS, tables_by_node
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.project.lineage import (
    artifact_claims,
    artifact_rows,
    result_claims,
    tests_watching,
)
from airflow_provider_elementary.source import Source

_NODE_COLUMNS = ("unique_id", "generated_at", "database_name", "schema_name", "name", "meta")
_TEST_COLUMNS = ("unique_id", "generated_at", "parent_model_unique_id", "short_name", "test_column_name", "meta")


@dataclass(frozen=True)
class AlertMeta:
    """How a project wants to be alerted about a table, a test or an incident.

    :param owners: ``owner`` of the meta, as it is written there.
    :param subscribers: who else wants to know.
    :param tags: ``tags`` of the meta.
    :param channel: where the alert goes, without ``#``.
    :param description: what the test means, in the project's words.
    :param suppression_hours: after an alert about a table, none about it for so many hours; None where nothing is said.
    :param fields: what an alert shows, by Elementary's names; empty for everything.
    """

    owners: tuple[str, ...] = ()
    subscribers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    channel: str | None = None
    description: str | None = None
    suppression_hours: float | None = None
    fields: tuple[str, ...] = ()


#: The key of a test: its table, its name and its column, if it is one of a column.
TestKey = tuple[str, str, str | None]


@dataclass(frozen=True)
class AlertMetas:
    """The alert meta of a project; where nothing is known, nothing is said.

    :param tables: by the table's name in upper case.
    :param tests: by :data:`TestKey`.
    """

    tables: Mapping[str, AlertMeta] = field(default_factory=dict)
    tests: Mapping[TestKey, AlertMeta] = field(default_factory=dict)

    def of(self, incident: Incident) -> AlertMeta:
        """Return what is said of an incident: by the tests that watch its metrics first, then by its root.

        Owners, subscribers and tags of both are taken together, as Elementary does, and the subscribers of the tables
        that follow hear of it as well.
        """
        said = [*self._tests_of(incident), self._table(incident.root)]
        followers = [self._table(table) for table in incident.followers]
        intervals = [meta.suppression_hours for meta in said if meta.suppression_hours is not None]
        return AlertMeta(
            owners=_once(incident.owners, *(meta.owners for meta in said)),
            subscribers=_once(*(meta.subscribers for meta in (*said, *followers))),
            tags=_once(incident.tags, *(meta.tags for meta in said)),
            channel=next((meta.channel for meta in said if meta.channel), None),
            description=next((meta.description for meta in said if meta.description), None),
            suppression_hours=intervals[0] if intervals else None,
            fields=next((meta.fields for meta in said if meta.fields), ()),
        )

    def _table(self, table: str) -> AlertMeta:
        return self.tables.get(table.upper(), AlertMeta())

    def _tests_of(self, incident: Incident) -> Iterator[AlertMeta]:
        for named in incident.metrics:
            column, metric = _column_and_metric(named)
            for test in tests_watching(metric, column):
                for of_column in dict.fromkeys((column.lower() if column else None, None)):
                    if meta := self.tests.get((incident.root.upper(), test, of_column)):
                        yield meta


def read_alert_metas(source: Source) -> AlertMetas:
    """Read the alert meta of a source; what a policy left out or masked says nothing."""
    rows = {
        artifact: artifact_rows(source, artifact, (*_NODE_COLUMNS, ARTIFACTS[artifact]), each_table=True)
        for artifact in ARTIFACTS
    }
    tables_of = tables_by_node([*artifact_claims(rows), *result_claims(source)])
    metas = {row["unique_id"]: alert_meta(row.get("meta")) for found in rows.values() for row in found}
    # A source may name the table of a model of another project: the model counts, and it comes first.
    tables = {table: meta for node, meta in reversed(metas.items()) for table in tables_of.get(node, ())}
    tests: dict[TestKey, AlertMeta] = {}
    # Of two tests alike the one that comes last by its name counts, in whatever order the rows are.
    for row in sorted(artifact_rows(source, "dbt_tests", _TEST_COLUMNS), key=lambda row: str(row["unique_id"])):
        test, column = str(row.get("short_name") or ""), row.get("test_column_name")
        for parent in tables_of.get(row.get("parent_model_unique_id") or "", ()) if test else ():
            tests[parent, test, column.lower() if column else None] = alert_meta(row.get("meta"))
    return AlertMetas(tables, tests)


def alert_meta(text: str | None) -> AlertMeta:
    """Return what the JSON text of a ``meta`` says of alerts; ``alerts_config`` is where older projects say it."""
    if (meta := json_object(text)) is None:
        return AlertMeta()
    older = meta.get("alerts_config")
    said = {**(older if isinstance(older, dict) else {}), **meta}
    return AlertMeta(
        owners=_names(said.get("owner")),
        subscribers=_names(said.get("subscribers")),
        tags=_names(said.get("tags")),
        channel=(_text(said.get("channel")) or "").lstrip("#") or None,
        description=_text(said.get("description")),
        suppression_hours=_hours(said.get("alert_suppression_interval")),
        fields=_names(said.get("alert_fields")),
    )


def _names(value: Any) -> tuple[str, ...]:
    """Return names written as a list, or as one text with commas."""
    entries = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else ()
    return _once([str(entry).strip() for entry in entries if isinstance(entry, str | int)])


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _hours(value: Any) -> float | None:
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return None


def _once(*names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for several in names for name in several if name))


def _column_and_metric(named: str) -> tuple[str | None, str]:
    """Take ``email.null_percent``, ``row_count`` or ``dimension store_id`` apart; see :class:`.Incident`."""
    if named.startswith("dimension "):
        return None, "dimension"
    column, _, metric = named.rpartition(".")
    return column or None, metric
