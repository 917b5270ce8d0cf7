"""Incidents as rows of an Arrow table, in which they rest in the store; lists are JSON text, as Elementary's are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields

import pyarrow as pa

from airflow_provider_elementary.incidents.tracking import Incident

_TYPES: dict[str, pa.DataType] = {
    "started_at": pa.timestamp("us"),
    "last_anomaly_at": pa.timestamp("us"),
    "resolved_at": pa.timestamp("us"),
    "anomalies": pa.int64(),
    "worst_score": pa.float64(),
}
_LISTS = ("followers", "metrics", "kinds", "owners", "tags", "downstream")
INCIDENT_SCHEMA = pa.schema([(field.name, _TYPES.get(field.name, pa.string())) for field in fields(Incident)])


def incidents_table(incidents: Iterable[Incident]) -> pa.Table:
    """Return incidents as rows of :data:`INCIDENT_SCHEMA`."""
    rows = [asdict(incident) for incident in incidents]
    texts = [{**row, **{name: json.dumps(row[name]) for name in _LISTS}} for row in rows]
    return pa.Table.from_pylist(texts, schema=INCIDENT_SCHEMA)


def incidents_of(table: pa.Table) -> list[Incident]:
    """Return the incidents that are rows of a table."""
    return [
        Incident(**{**row, **{name: tuple(json.loads(row[name])) for name in _LISTS}})
        for row in table.select(INCIDENT_SCHEMA.names).to_pylist()
    ]
