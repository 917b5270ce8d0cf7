"""Computes metrics per table over time from any `Source`."""

from airflow_provider_elementary.metrics.compute import METRICS_SCHEMA, compute_metrics, has_names, scored_metrics

__all__ = ["METRICS_SCHEMA", "compute_metrics", "has_names", "scored_metrics"]
