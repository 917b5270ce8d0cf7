"""Reads what the dbt ``meta`` says of conditions: severity, and skipped results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from airflow_provider_elementary.elementary_schema.json_text import json_object
from airflow_provider_elementary.incidents.conditions import SEVERITIES, Condition, Severity
from airflow_provider_elementary.project.reading import artifact_rows
from airflow_provider_elementary.source import Source

T = TypeVar("T")
_NODES = ("dbt_models", "dbt_snapshots", "dbt_seeds", "dbt_sources")
_COLUMNS = ("unique_id", "generated_at", "meta")


@dataclass(frozen=True)
class ConditionMetas:
    """What the ``meta`` of tests and nodes says of their conditions.

    :param severities: by the id of a test or a node; a test without one has that of its model.
    :param skips: the ids of which a skipped result is a condition, those of tests of a model that asks for it included.
    """

    severities: Mapping[str, Severity]
    skips: frozenset[str]

    def applied(self, conditions: Iterable[Condition]) -> list[Condition]:
        """Return conditions with the severities of the project."""
        return [
            replace(condition, severity=self.severities[condition.subject])
            if condition.kind in ("test", "run", "source_freshness") and condition.subject in self.severities
            else condition
            for condition in conditions
        ]


def read_condition_metas(source: Source) -> ConditionMetas:
    """Read the ``meta`` of dbt's artifacts; one that the policy excludes or masks says nothing.

    :param source: holds the artifacts.
    """
    nodes = [row for table in _NODES for row in artifact_rows(source, table, _COLUMNS)]
    tests = artifact_rows(source, "dbt_tests", (*_COLUMNS, "parent_model_unique_id"))
    return ConditionMetas(
        _said(nodes, tests, severity_of),
        frozenset(name for name, asks in _said(nodes, tests, asks_for_skips).items() if asks),
    )


def severity_of(meta: str | None) -> Severity | None:
    """Return the ``severity`` in the JSON text of a ``meta``, or in its ``alerts_config``; None where it says none.

    ``error`` and ``warn`` are dbt's own words for what fails a run, and say nothing here.
    """
    for settings in _settings(meta):
        said = settings.get("severity")
        plain = said.strip().lower() if isinstance(said, str) else None
        if (found := next((severity for severity in SEVERITIES if severity == plain), None)) is not None:
            return found
    return None


def asks_for_skips(meta: str | None) -> bool | None:
    """Return ``alert_on_skipped`` in the JSON text of a ``meta``, or in its ``alerts_config``; None for no answer."""
    said = (settings.get("alert_on_skipped") for settings in _settings(meta))
    return next((each for each in said if isinstance(each, bool)), None)


def _settings(meta: str | None) -> tuple[Mapping[str, Any], ...]:
    facts = json_object(meta) or {}
    older = facts.get("alerts_config")
    return facts, older if isinstance(older, dict) else {}


def _said(
    nodes: Iterable[Mapping[str, Any]], tests: Sequence[Mapping[str, Any]], read: Callable[[str | None], T | None]
) -> dict[str, T]:
    """Return what the project says, by the id of a test or a node; a test that says nothing follows its model."""

    def own(rows: Iterable[Mapping[str, Any]]) -> dict[str, T]:
        return {row["unique_id"]: said for row in rows if (said := read(row.get("meta"))) is not None}

    found = own(nodes)
    models = ((row["unique_id"], row.get("parent_model_unique_id")) for row in tests)
    return {**found, **{name: found[model] for name, model in models if model in found}, **own(tests)}
