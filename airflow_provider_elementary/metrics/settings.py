"""Says what stored metrics depend on besides rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.metrics.compute import COLLECTED_SCHEMA, COLLECTED_TABLE
from airflow_provider_elementary.metrics.computed import QUERIES
from airflow_provider_elementary.metrics.definitions import Definition
from airflow_provider_elementary.metrics.health_score import HEALTH_WEIGHTS
from airflow_provider_elementary.metrics.registry import DEFINITIONS

#: Categories of which no metric reads a column.
_UNUSED = (Category.FAILED_ROWS_SAMPLE, Category.QUERY_LOGS)
_COLUMN_RULES = ("masked_columns", "hashed_columns", "dropped_columns")
#: Columns by which no row is recognised, named or dated: where they are taken again, the same rows meet.
_VALUES = frozenset(
    (
        *("metric_value", "metric_type", "metric_properties", "bucket_duration_hours"),
        *("execution_time", "rows_affected", "failures", "failed_row_count", "quality_dimension"),
        *("max_loaded_at_time_ago_in_s", "warn_after", "error_after"),
    )
)
_HASH = 16


def versions_of(definitions: Sequence[Definition], has_collected: bool) -> list[str]:
    """Return a hash of each definition, which changes whenever the same rows would make other metrics."""
    found = [_hash(_model(definition)) for definition in definitions]
    if has_collected:
        found.append(_hash({"collected": str(COLLECTED_SCHEMA)}))
    return sorted(found)


def policy_of(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a snapshot's policy says which rows and values metrics are computed from.

    :param policy: as a manifest has it.
    """
    read = {f"{table}.{column}" for table, columns in metric_columns().items() for column in columns}
    rules = [
        f"{rule} {name}"
        for rule in _COLUMN_RULES
        for name in policy.get(rule, ())
        if ".".join(name.split(".")[:2]) in read
    ]
    unused = {category.value for category in _UNUSED}
    return {
        "categories": sorted(set(policy.get("categories", ())) - unused),
        "rules": sorted(rules),
        "dropped_metrics": sorted(policy.get("dropped_metrics", ())),
    }


def why_excluded(known: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Return why metrics that were stored with other settings cannot be kept, or None where they can be.

    :param known: ``definitions`` and ``policy`` of the stored metrics, as ``now`` of this run.
    """
    if not isinstance(known.get("definitions"), list) or set(known["definitions"]) - set(now["definitions"]):
        return "their definitions changed"
    then, policy = known.get("policy"), now["policy"]
    if not isinstance(then, Mapping):
        return "the policy of the snapshots is not known"
    if set(then["categories"]) - set(policy["categories"]) or set(policy["rules"]) - set(then["rules"]):
        return "the policy of the snapshots excludes more"
    if not all(map(_drops_values, set(then["rules"]) - set(policy["rules"]))):
        return "the policy of the snapshots changes values by which rows are recognised"
    return None


def _drops_values(rule: str) -> bool:
    kind, _, name = rule.partition(" ")
    return kind == "dropped_columns" and name.split(".")[-1] in _VALUES


def is_changed(known: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether rows that were read with other settings have to be read again."""
    return any(known.get(name) != now[name] for name in ("definitions", "policy"))


def metric_columns() -> dict[str, set[str]]:
    """Return the columns that metrics are computed from, by table."""
    found = {COLLECTED_TABLE: set(COLLECTED_SCHEMA.names)}
    for definition in DEFINITIONS:
        needs = [definition.needs, definition.useful, definition.places]
        for columns in (*needs, *(fact.reads for fact in definition.facts)):
            for table, names in columns.items():
                found.setdefault(table, set()).update(names)
    return found


def _model(definition: Definition) -> dict[str, Any]:
    return {
        "names": definition.names,
        "query": definition.query,
        "facts": sorted(
            (fact.name, fact.query, fact.merge, str(fact.schema), _text(fact.happened), _text(fact.context))
            for fact in definition.facts
        ),
        "common": [*QUERIES, _text(HEALTH_WEIGHTS)],
    }


def _hash(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:_HASH]


def _text(facts: Mapping[str, Any]) -> str:
    return str(sorted((name, str(value)) for name, value in facts.items()))
