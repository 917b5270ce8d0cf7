"""Names the schema, and what names a metric in it."""

from __future__ import annotations

#: What the schema is called where nobody names another.
DEFAULT_SCHEMA = "elementary"
#: What names a metric; one of its series has a ``dimension_value`` too.
METRIC_KEYS = ("full_table_name", "column_name", "metric_name", "dimension")
