"""Verdicts on metrics: Elementary's own rule and a better one beside it, and how they compare with what is stored."""

from airflow_provider_elementary.anomalies.compare import compare_with_elementary
from airflow_provider_elementary.anomalies.detect import detect

__all__ = ["compare_with_elementary", "detect"]
