"""Airflow connections become a source of Elementary tables, or a store of snapshots."""
