"""Sends alerts over any Airflow notifier."""
