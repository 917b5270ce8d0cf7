"""Adds the Elementary page to Airflow's UI."""
