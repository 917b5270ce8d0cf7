"""Reads the severity of conditions from the dbt ``meta``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_elementary.elementary_schema.json_text import json_object
from airflow_provider_elementary.incidents.conditions import SEVERITIES, Condition, Severity
from airflow_provider_elementary.project.reading import artifact_rows
from airflow_provider_elementary.source import Source

_NODES = ("dbt_models", "dbt_snapshots", "dbt_seeds", "dbt_sources")
_COLUMNS = ("unique_id", "generated_at", "meta")


def with_severities(conditions: list[Condition], source: Source) -> list[Condition]:
    """Return conditions with the severity that the ``meta`` of their test or node says, else that of the test's model.

    :param source: holds dbt's artifacts; a ``meta`` that the policy excludes or masks says nothing.
    """
    if not any(condition.kind in ("test", "run", "source_freshness") for condition in conditions):
        return conditions
    said = _severities(source)
    return [
        replace(condition, severity=said[condition.subject])
        if condition.kind in ("test", "run", "source_freshness") and condition.subject in said
        else condition
        for condition in conditions
    ]


def severity_of(meta: str | None) -> Severity | None:
    """Return the ``severity`` in the JSON text of a ``meta``, or in its ``alerts_config``; None where it says none.

    ``error`` and ``warn`` are dbt's own words for what fails a run, and say nothing here.
    """
    facts = json_object(meta) or {}
    older = facts.get("alerts_config")
    for settings in (facts, older if isinstance(older, dict) else {}):
        said = settings.get("severity")
        plain = said.strip().lower() if isinstance(said, str) else None
        if (found := next((severity for severity in SEVERITIES if severity == plain), None)) is not None:
            return found
    return None


def _severities(source: Source) -> Mapping[str, Severity]:
    """Return what the project says, by the id of a test or a node."""
    found: dict[str, Severity] = {}
    for table in _NODES:
        found.update(_said(artifact_rows(source, table, _COLUMNS)))
    tests = artifact_rows(source, "dbt_tests", (*_COLUMNS, "parent_model_unique_id"))
    of_models = {
        row["unique_id"]: found[row["parent_model_unique_id"]]
        for row in tests
        if row.get("parent_model_unique_id") in found
    }
    return {**found, **of_models, **dict(_said(tests))}


def _said(rows: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, Severity]]:
    for row in rows:
        if (severity := severity_of(row.get("meta"))) is not None:
            yield row["unique_id"], severity
