"""Reads the dbt project: nodes, lineage, tests, runs and their state."""
