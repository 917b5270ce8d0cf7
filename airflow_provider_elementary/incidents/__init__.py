"""Tracks incidents from verdicts and lineage."""

from airflow_provider_elementary.incidents.enrich import enrich
from airflow_provider_elementary.incidents.tracking import Incident, track_incidents

__all__ = ["Incident", "enrich", "track_incidents"]
