"""Verdicts for any Airflow notifier."""
