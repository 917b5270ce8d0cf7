"""Reads Elementary's alert settings from the dbt ``meta``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_elementary.elementary_schema.json_text import json_object
from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS, tables_by_node
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.project.lineage import tests_monitoring
from airflow_provider_elementary.project.reading import (
    artifact_claims,
    artifact_rows,
    artifact_rows_by_table,
    read_rows,
    result_claims,
)
from airflow_provider_elementary.source import Source

_NODE_COLUMNS = ("unique_id", "generated_at", "database_name", "schema_name", "name", "meta")
_TEST_COLUMNS = ("unique_id", "generated_at", "parent_model_unique_id", "short_name", "test_column_name", "meta")


@dataclass(frozen=True)
class AlertMeta:
    """The alert settings of a project for a table, a test or an incident.

    :param owners: ``owner`` of the meta, as it is written there.
    :param subscribers: further people to notify.
    :param tags: ``tags`` of the meta.
    :param channel: where the alert goes, without ``#``.
    :param description: what the test means, in the project's words.
    :param suppression_hours: minimum hours between alerts about the same table; None where the project sets none.
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
    """The alert settings of a project; empty where the project has none.

    :param tables: by the table's name in upper case.
    :param tests: by :data:`TestKey`.
    :param nodes: of tests and nodes, by dbt's id.
    """

    tables: Mapping[str, AlertMeta] = field(default_factory=dict)
    tests: Mapping[TestKey, AlertMeta] = field(default_factory=dict)
    nodes: Mapping[str, AlertMeta] = field(default_factory=dict)

    def of(self, incident: Incident) -> AlertMeta:
        """Return the settings for an incident: those of the tests of its metrics first, then those of its table.

        Owners, subscribers and tags of both are merged, as Elementary does. Subscribers of the tables that are also
        anomalous downstream are notified too.
        """
        tables = dict.fromkeys((incident.cause.table, incident.root))
        settings = [*self._tests_of(incident), *(self._table(table) for table in tables)]
        followers = [self._table(table) for table in incident.followers]
        intervals = [meta.suppression_hours for meta in settings if meta.suppression_hours is not None]
        return AlertMeta(
            owners=_once(incident.owners, *(meta.owners for meta in settings)),
            subscribers=_once(*(meta.subscribers for meta in (*settings, *followers))),
            tags=_once(incident.tags, *(meta.tags for meta in settings)),
            channel=next((meta.channel for meta in settings if meta.channel), None),
            description=next((meta.description for meta in settings if meta.description), None),
            suppression_hours=intervals[0] if intervals else None,
            fields=next((meta.fields for meta in settings if meta.fields), ()),
        )

    def _table(self, table: str) -> AlertMeta:
        return self.tables.get(table.upper(), AlertMeta())

    def _tests_of(self, incident: Incident) -> Iterator[AlertMeta]:
        for condition in incident.conditions:
            if meta := self.nodes.get(condition.subject):
                yield meta
        for named in incident.subjects:
            column, metric = _column_and_metric(named)
            for test in tests_monitoring(metric, column):
                for of_column in dict.fromkeys((column.lower() if column else None, None)):
                    if meta := self.tests.get((incident.cause.table.upper(), test, of_column)):
                        yield meta


def read_alert_metas(source: Source) -> AlertMetas:
    """Read the alert settings of a source; a ``meta`` that the policy excludes or masks counts as empty."""
    rows = {
        artifact: artifact_rows_by_table(artifact, read_rows(source, artifact, (*_NODE_COLUMNS, name)))
        for artifact, name in ARTIFACTS.items()
    }
    tables_of = tables_by_node([*artifact_claims(rows), *result_claims(source)])
    metas = {row["unique_id"]: alert_meta(row.get("meta")) for found in rows.values() for row in found}
    # A source may name the table of a model of another project: the model wins, and it comes first.
    tables = {table: meta for node, meta in reversed(metas.items()) for table in tables_of.get(node, ())}
    tests: dict[TestKey, AlertMeta] = {}
    # Of two tests of the same kind the last by id wins, in any order of the rows.
    for row in sorted(artifact_rows(source, "dbt_tests", _TEST_COLUMNS), key=lambda row: str(row["unique_id"])):
        metas[row["unique_id"]] = alert_meta(row.get("meta"))
        test, column = str(row.get("short_name") or ""), row.get("test_column_name")
        for parent in tables_of.get(row.get("parent_model_unique_id") or "", ()) if test else ():
            tests[parent, test, column.lower() if column else None] = metas[row["unique_id"]]
    return AlertMetas(tables, tests, metas)


def alert_meta(text: str | None) -> AlertMeta:
    """Return the alert settings in the JSON text of a ``meta``; older projects keep them in ``alerts_config``."""
    if (meta := json_object(text)) is None:
        return AlertMeta()
    older = meta.get("alerts_config")
    settings = {**(older if isinstance(older, dict) else {}), **meta}
    return AlertMeta(
        owners=_names(settings.get("owner")),
        subscribers=_names(settings.get("subscribers")),
        tags=_names(settings.get("tags")),
        channel=(_text(settings.get("channel")) or "").lstrip("#") or None,
        description=_text(settings.get("description")),
        suppression_hours=_hours(settings.get("alert_suppression_interval")),
        fields=_names(settings.get("alert_fields")),
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
    """Split ``email.null_percent``, ``row_count`` or ``dimension store_id`` into column and metric."""
    if named.startswith("dimension "):
        return None, "dimension"
    column, _, metric = named.rpartition(".")
    return column or None, metric
