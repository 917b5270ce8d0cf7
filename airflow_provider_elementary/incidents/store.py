"""Carrying incidents on in a store: those of the run before go on, end or stay past, and are sealed anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.incidents.rows import incidents_of, incidents_table
from airflow_provider_elementary.incidents.tracking import Incident, track_incidents
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots import Keys, Store
from airflow_provider_elementary.storage.results import previous_result, read_result, write_result


@dataclass(frozen=True)
class Followed:
    """Incidents as a run leaves them.

    :param key: where they are sealed in the store.
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


def follow_incidents(
    store: Store,
    keys: Keys,
    verdicts: pa.Table,
    lineage: Lineage,
    *,
    series: str,
    run_key: str,
    origin: Mapping[str, Any],
) -> Followed:
    """Make incidents of verdicts, carry on those of the run before, and seal them.

    :param verdicts: enriched verdicts of one run.
    :param lineage: what is upstream of what.
    :param series: whose incidents go on from run to run, as in a DAG's and a task's id.
    :param run_key: what they are made for; a second try for the same starts from the same run before.
    :param origin: what the verdicts were computed from.
    """
    before: list[Incident] = []
    if previous := previous_result(store, "incidents", series, run_key):
        with read_result(store, keys, previous.key) as rows:
            before = incidents_of(rows.read_all())
    incidents = track_incidents(verdicts, lineage, before)
    result = write_result(
        store,
        keys,
        "incidents",
        incidents_table(incidents).to_reader(),
        run_key=run_key,
        origin=origin,
        parameters={"before": previous.key if previous else None},
        series=series,
    )
    return Followed(result.key, tuple(incidents))
