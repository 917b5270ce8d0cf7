"""Verdicts on metrics: Elementary's own rule and a better one beside it, what follows from them, and how they agree."""

from airflow_provider_elementary.anomalies.backtest import Backtest, backtest
from airflow_provider_elementary.anomalies.compare import compare_with_elementary
from airflow_provider_elementary.anomalies.detect import detect
from airflow_provider_elementary.anomalies.enrich import enrich
from airflow_provider_elementary.anomalies.incidents import Incident, track_incidents
from airflow_provider_elementary.anomalies.lineage import Lineage, read_lineage
from airflow_provider_elementary.anomalies.lint import Finding, lint

__all__ = [
    "Backtest",
    "Finding",
    "Incident",
    "Lineage",
    "backtest",
    "compare_with_elementary",
    "detect",
    "enrich",
    "lint",
    "read_lineage",
    "track_incidents",
]
