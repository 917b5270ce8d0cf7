"""Computes metrics per table over time from any `Source`."""

from airflow_provider_elementary.metrics.compute import compute_metrics, has_names, scored_metrics
from airflow_provider_elementary.metrics.definitions import METRICS_SCHEMA

__all__ = ["METRICS_SCHEMA", "compute_metrics", "has_names", "scored_metrics"]
