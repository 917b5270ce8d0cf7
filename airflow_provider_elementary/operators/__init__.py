"""Runs the core's use cases as Airflow tasks."""
