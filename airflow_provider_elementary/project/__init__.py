"""Reads the dbt project: nodes, lineage, tests, runs and their state."""

from airflow_provider_elementary.project.lineage import Lineage, read_lineage

__all__ = ["Lineage", "read_lineage"]
