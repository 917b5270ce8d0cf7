"""Identifies the tables that a session sees, where the engine can."""

from __future__ import annotations

from collections.abc import Collection

from airflow_provider_elementary.warehouses.registry import by_adapter
from airflow_provider_elementary.warehouses.source import WarehouseSource

# A table that was renamed and swapped has another oid, one that was truncated or rewritten another file.
_POSTGRES = """
SELECT c.relname::text, concat_ws(':', c.oid, c.relfilenode, (
  SELECT string_agg(concat_ws(':', m.oid, m.relfilenode), ',' ORDER BY m.oid)
  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class m ON m.oid = i.inhrelid WHERE i.inhparent = c.oid))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = CAST($1 AS text) AND c.relname = ANY(string_to_array(CAST($2 AS text), ','))
"""


def table_identities(source: WarehouseSource, names: Collection[str]) -> dict[str, str]:
    """Return what changes when a table is replaced or emptied, by the catalog's name; nothing where it is not known.

    Only tables with a watermark are identified: the others are replaced at every dbt run.

    :param names: the tables to identify.
    """
    if not by_adapter(source.adapter).has_pg_catalog:
        return {}
    spelled = {
        source.table(name).name: name
        for name in names
        if name in source.tables() and source.table(name).table.watermark is not None
    }
    found = source.warehouse.rows(_POSTGRES, (source.warehouse.schema, ",".join(spelled)))
    return {spelled[str(name)]: str(identity) for name, identity in found}
