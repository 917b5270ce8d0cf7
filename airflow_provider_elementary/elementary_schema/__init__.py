"""Describes the Elementary schema: tables, keys, watermarks, categories, sensitive columns."""

from airflow_provider_elementary.elementary_schema.categories import Category, Sensitivity
from airflow_provider_elementary.elementary_schema.tables import (
    DEFAULT_SCHEMA,
    METRIC_KEYS,
    TABLES,
    Column,
    Kind,
    RowSplit,
    Table,
)

__all__ = ["DEFAULT_SCHEMA", "METRIC_KEYS", "TABLES", "Category", "Column", "Kind", "RowSplit", "Sensitivity", "Table"]
