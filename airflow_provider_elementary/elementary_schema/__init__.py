"""Describes the Elementary schema: tables, keys, watermarks, categories, sensitive columns."""

from airflow_provider_elementary.elementary_schema.categories import Category, Sensitivity
from airflow_provider_elementary.elementary_schema.names import DEFAULT_SCHEMA, METRIC_KEYS
from airflow_provider_elementary.elementary_schema.table_model import Column, Kind, RowSplit, Table
from airflow_provider_elementary.elementary_schema.tables import TABLES

__all__ = ["DEFAULT_SCHEMA", "METRIC_KEYS", "TABLES", "Category", "Column", "Kind", "RowSplit", "Sensitivity", "Table"]
