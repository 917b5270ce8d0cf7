"""Loads the incidents of the previous run, updates and saves them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.incidents.tracking import Incident, track_incidents
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots import Repository
from airflow_provider_elementary.storage.results import previous_result, read_result, write_result

_TYPES: dict[str, pa.DataType] = {
    "started_at": pa.timestamp("us"),
    "last_anomaly_at": pa.timestamp("us"),
    "resolved_at": pa.timestamp("us"),
    "anomalies": pa.int64(),
    "worst_score": pa.float64(),
}
_LISTS = ("followers", "metrics", "kinds", "owners", "tags", "downstream")
INCIDENT_SCHEMA = pa.schema([(field.name, _TYPES.get(field.name, pa.string())) for field in fields(Incident)])


@dataclass(frozen=True)
class TrackedIncidents:
    """The incidents after a run.

    :param key: of the result in the store that holds them.
    :param incidents: all of them, past ones included.
    """

    key: str
    incidents: tuple[Incident, ...]

    @property
    def current(self) -> tuple[Incident, ...]:
        """Those that this run opened, continued or resolved."""
        return tuple(incident for incident in self.incidents if incident.transition != "past")

    @property
    def open(self) -> int:
        """How many are open."""
        return sum(incident.status == "open" for incident in self.incidents)


def update_incidents(
    repository: Repository,
    verdicts: pa.Table,
    lineage: Lineage,
    *,
    series: str,
    run_key: str,
    origin: Mapping[str, Any],
) -> TrackedIncidents:
    """Update the incidents of the previous run with new verdicts, and save them.

    :param verdicts: enriched verdicts of one run.
    :param lineage: which table is upstream of which.
    :param series: identifies the incidents across runs, as the ids of a DAG and a task.
    :param run_key: identifies the run; a retry starts from the same previous run.
    :param origin: what the verdicts were computed from.
    """
    before: list[Incident] = []
    if previous := previous_result(repository, "incidents", series, run_key):
        with read_result(repository, previous.key) as rows:
            before = incidents_of(rows.read_all())
    incidents = track_incidents(verdicts, lineage, before)
    result = write_result(
        repository,
        "incidents",
        incidents_table(incidents).to_reader(),
        run_key=run_key,
        origin=origin,
        parameters={"before": previous.key if previous else None},
        series=series,
    )
    return TrackedIncidents(result.key, tuple(incidents))


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
